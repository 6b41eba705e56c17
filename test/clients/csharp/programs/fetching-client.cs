// Filled in as the client's own templates are, and compiled in its namespace.
namespace __Namespace__
{
    /// <summary>A fetcher of this model's by HttpClient.</summary>
    internal sealed class HttpFetching : global::RecgateTests.IFetching
    {
        private readonly __Model__HttpFetcher fetcher;

        internal HttpFetching(string url, __Model__FetchOptions options)
        {
            fetcher = new __Model__HttpFetcher(url, Token, options);
        }

        public string Fetch(string[] values)
        {
            using (var cancellation = new global::System.Threading.CancellationTokenSource())
            {
                var fetched = fetcher.FetchAsync(FetchingParameters.Of(values), cancellation.Token);
                while (!fetched.IsCompleted)
                {
                    if (global::RecgateTests.FetcherRunner.IsCancelled) cancellation.Cancel();
                    global::System.Threading.Thread.Sleep(1);
                }
                return ResultText.Of(fetched.GetAwaiter().GetResult());
            }
        }

        private static global::System.Threading.Tasks.Task<string> Token(
            bool refresh, global::System.Threading.CancellationToken cancellation)
        {
            string token = global::RecgateTests.FetcherRunner.AskToken(refresh);
            return token == "never"
                ? new global::System.Threading.Tasks.TaskCompletionSource<string>().Task
                : global::System.Threading.Tasks.Task.FromResult(token);
        }
    }

    /// <summary>The same by UnityWebRequest.</summary>
    internal sealed class UnityFetching : global::RecgateTests.IFetching
    {
        private readonly __Model__UnityFetcher fetcher;
        private readonly global::RecgateTests.Frames frames = new global::RecgateTests.Frames();
        private readonly int deadlineMs;

        internal UnityFetching(string url, __Model__FetchOptions options)
        {
            deadlineMs = options.DeadlineMs;
            fetcher = new __Model__UnityFetcher(url, Token, options);
        }

        public string Fetch(string[] values)
        {
            __Model__Result result = null;
            int results = 0;
            bool isWhole = frames.Run(fetcher.Fetch(FetchingParameters.Of(values), given =>
            {
                result = given;
                results++;
            }), () =>
            {
                DisposeIfAsked();
                if (global::RecgateTests.FetcherRunner.TakeLate()) BeLate(values);
            });
            if (!isWhole) throw new global::System.OperationCanceledException();
            if (results != 1) throw new global::System.InvalidOperationException("done was called " + results + " times");
            return ResultText.Of(result);
        }

        /// <summary>As another object's OnDestroy would.</summary>
        private void DisposeIfAsked()
        {
            if (global::RecgateTests.FetcherRunner.IsDisposed) fetcher.Dispose();
        }

        /// <summary>As a game that was in the background, and whose other object comes first when it is back.</summary>
        private void BeLate(string[] values)
        {
            global::System.Threading.Thread.Sleep(deadlineMs);
            frames.Run(fetcher.Fetch(FetchingParameters.Of(values), given => { }), () => { });
        }

        /// <summary>Gives the token a frame later, as a game would that asks a server of its own.</summary>
        private void Token(bool refresh, global::System.Action<string> give)
        {
            string token = global::RecgateTests.FetcherRunner.AskToken(refresh);
            if (token == "never") return;
            frames.Later(() =>
            {
                give(token);
                give("a second one, which counts for nothing");
            });
        }
    }

    internal static class ResultText
    {
        internal static string Of(__Model__Result result)
        {
            var json = new global::RecgateTests.JsonText();
            json.Open('{');
            json.Name("source");
            json.Write(result.Source.ToString());
            Text(json, "version", result.Version);
            Text(json, "reason", result.Reason);
            json.Name("status");
            json.Write(result.Status);
            Text(json, "code", result.ErrorCode);
            Text(json, "detail", result.ErrorDetail);
            json.Name("record");
            if (result.Record == null) json.WriteNull();
            else RunnerAnswers.Write(json, result.Record);
            json.Close('}');
            return json.ToString();
        }

        private static void Text(global::RecgateTests.JsonText json, string name, string text)
        {
            json.Name(name);
            if (text == null) json.WriteNull();
            else json.Write(text);
        }
    }
}

namespace RecgateTests
{
    internal static class Client
    {
        internal static IFetching Open(string[] args)
        {
            var options = new global::__Namespace__.__Model__FetchOptions { DeadlineMs = int.Parse(args[2]) };
            for (int index = 3; index < args.Length; index++)
            {
                if (args[index] == "no-model") options.SendModel = false;
                else if (args[index] == "no-kept") options.UseKept = false;
                else options.GatewayDeadlineMs = int.Parse(args[index]);
            }
            if (args[0] == "unity") return new global::__Namespace__.UnityFetching(args[1], options);
            return new global::__Namespace__.HttpFetching(args[1], options);
        }
    }
}
