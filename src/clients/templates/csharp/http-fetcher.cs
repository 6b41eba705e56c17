namespace __Namespace__
{
    /// <summary>Gives the player's token; with true another one than the last, which has expired.</summary>
    public delegate global::System.Threading.Tasks.Task<string> __Model__TokenCallback(
        bool refresh, global::System.Threading.CancellationToken cancellation);

    /// <summary>
    /// Fetches one player's records with HttpClient. Any thread may use it; the token is asked for on whatever thread
    /// the fetch has come to.
    /// </summary>
    public sealed class __Model__HttpFetcher
    {
        /// <summary>One for all, as Microsoft advises: each has connections of its own.</summary>
        private static readonly global::System.Lazy<global::System.Net.Http.HttpClient> Shared =
            new global::System.Lazy<global::System.Net.Http.HttpClient>(CreateClient);

        private readonly FetchCore core;
        private readonly __Model__TokenCallback token;
        private readonly global::System.Net.Http.HttpClient client;

        /// <param name="url">As it stands in the e-mail: https://recommendations.example.com</param>
        /// <param name="client">Null: one that all fetchers of this model share. Yours must not follow redirects.</param>
        public __Model__HttpFetcher(
            string url,
            __Model__TokenCallback token,
            __Model__FetchOptions options = null,
            global::System.Net.Http.HttpClient client = null)
        {
            if (token == null) throw new global::System.ArgumentNullException("token");
            core = new FetchCore(url, options);
            this.token = token;
            this.client = client ?? Shared.Value;
        }

#if MODEL_HAS_PARAMETERS
        /// <summary>Fails in no other way than that the caller cancels it: see Source and ErrorCode of the result.</summary>
        public global::System.Threading.Tasks.Task<__Model__Result> FetchAsync(
            __Model__Parameters parameters,
            global::System.Threading.CancellationToken cancellation = default(global::System.Threading.CancellationToken))
        {
            return RunAsync(core.Begin(parameters), cancellation);
        }
#else
        /// <summary>Fails in no other way than that the caller cancels it: see Source and ErrorCode of the result.</summary>
        public global::System.Threading.Tasks.Task<__Model__Result> FetchAsync(
            global::System.Threading.CancellationToken cancellation = default(global::System.Threading.CancellationToken))
        {
            return RunAsync(core.Begin(), cancellation);
        }
#endif

        private async global::System.Threading.Tasks.Task<__Model__Result> RunAsync(
            Fetch fetch, global::System.Threading.CancellationToken cancellation)
        {
            using (var deadline = global::System.Threading.CancellationTokenSource.CreateLinkedTokenSource(cancellation))
            {
                deadline.CancelAfter(global::System.Math.Max(0, fetch.RemainingMs));
                while (fetch.Step != FetchStep.Done)
                {
                    try
                    {
                        deadline.Token.ThrowIfCancellationRequested();
                        if (fetch.Step == FetchStep.AskToken) await AskToken(fetch, deadline.Token).ConfigureAwait(false);
                        else if (fetch.Step == FetchStep.Send) await Send(fetch, deadline.Token).ConfigureAwait(false);
                        else await Wait(fetch, deadline.Token).ConfigureAwait(false);
                    }
                    catch (global::System.Exception) when (deadline.IsCancellationRequested)
                    {
                        cancellation.ThrowIfCancellationRequested();
                        fetch.DeadlinePassed();
                    }
                }
            }
            return fetch.Result;
        }

        private async global::System.Threading.Tasks.Task AskToken(
            Fetch fetch, global::System.Threading.CancellationToken deadline)
        {
            string given;
            try
            {
                given = await Within(token(fetch.RefreshToken, deadline), deadline).ConfigureAwait(false);
            }
            catch (global::System.Exception problem) when (!deadline.IsCancellationRequested)
            {
                fetch.TokenFailed(problem.Message);
                return;
            }
            fetch.TokenGiven(given);
        }

        private async global::System.Threading.Tasks.Task Send(
            Fetch fetch, global::System.Threading.CancellationToken deadline)
        {
            FetchAnswer answer;
            try
            {
                answer = await Within(Exchange(fetch, deadline), deadline).ConfigureAwait(false);
            }
            catch (global::System.Exception problem) when (!deadline.IsCancellationRequested)
            {
                fetch.NetworkFailed(problem.InnerException == null ? problem.Message : problem.InnerException.Message);
                return;
            }
            if (answer.Body == null) fetch.AnswerTooLong(answer.Status);
            else fetch.Answered(answer);
        }

        private static async global::System.Threading.Tasks.Task Wait(
            Fetch fetch, global::System.Threading.CancellationToken deadline)
        {
            await global::System.Threading.Tasks.Task.Delay(fetch.WaitMs, deadline).ConfigureAwait(false);
            fetch.Waited();
        }

        /// <summary>A body that is too long is null.</summary>
        private async global::System.Threading.Tasks.Task<FetchAnswer> Exchange(
            Fetch fetch, global::System.Threading.CancellationToken deadline)
        {
            using (var request = new global::System.Net.Http.HttpRequestMessage(
                global::System.Net.Http.HttpMethod.Get, fetch.Url))
            {
                request.Headers.TryAddWithoutValidation("Authorization", fetch.Authorization);
                request.Headers.TryAddWithoutValidation("Accept", FetchCore.MediaType);
                if (fetch.IfNoneMatch != null) request.Headers.TryAddWithoutValidation("If-None-Match", fetch.IfNoneMatch);
                if (fetch.GatewayDeadlineMs != null)
                    request.Headers.TryAddWithoutValidation("Recgate-Deadline-Ms", fetch.GatewayDeadlineMs);
                const global::System.Net.Http.HttpCompletionOption headersOnly =
                    global::System.Net.Http.HttpCompletionOption.ResponseHeadersRead;
                using (var response = await client.SendAsync(request, headersOnly, deadline).ConfigureAwait(false))
                {
                    return new FetchAnswer
                    {
                        Status = (int)response.StatusCode,
                        ContentType = Header(response.Content == null ? null : response.Content.Headers, "Content-Type"),
                        ETag = Header(response.Headers, "ETag"),
                        Recgate = Header(response.Headers, "Recgate"),
                        RetryAfter = Header(response.Headers, "Retry-After"),
                        Body = await ReadBody(response.Content, deadline).ConfigureAwait(false)
                    };
                }
            }
        }

        private static async global::System.Threading.Tasks.Task<byte[]> ReadBody(
            global::System.Net.Http.HttpContent content, global::System.Threading.CancellationToken deadline)
        {
            if (content == null) return new byte[0];
            using (var stream = await content.ReadAsStreamAsync().ConfigureAwait(false))
            using (var body = new global::System.IO.MemoryStream())
            {
                var piece = new byte[4096];
                while (true)
                {
                    int count = await stream.ReadAsync(piece, 0, piece.Length, deadline).ConfigureAwait(false);
                    if (count == 0) return body.ToArray();
                    if (body.Length + count > FetchCore.BodyBytesMax) return null;
                    body.Write(piece, 0, count);
                }
            }
        }

        private static string Header(global::System.Net.Http.Headers.HttpHeaders headers, string name)
        {
            global::System.Collections.Generic.IEnumerable<string> values;
            if (headers == null || !headers.TryGetValues(name, out values)) return null;
            return string.Join(", ", values);
        }

        /// <summary>Waits no longer, even for what heeds no cancellation.</summary>
        private static async global::System.Threading.Tasks.Task<T> Within<T>(
            global::System.Threading.Tasks.Task<T> task, global::System.Threading.CancellationToken deadline)
        {
            var passed = new global::System.Threading.Tasks.TaskCompletionSource<T>();
            using (deadline.Register(() => passed.TrySetCanceled()))
            {
                var first = await global::System.Threading.Tasks.Task.WhenAny(task, passed.Task).ConfigureAwait(false);
                return await first.ConfigureAwait(false);
            }
        }

        private static global::System.Net.Http.HttpClient CreateClient()
        {
            var handler = new global::System.Net.Http.HttpClientHandler { AllowAutoRedirect = false, UseCookies = false };
            return new global::System.Net.Http.HttpClient(handler)
            {
                // Each fetch has a deadline of its own.
                Timeout = global::System.Threading.Timeout.InfiniteTimeSpan
            };
        }
    }
}
