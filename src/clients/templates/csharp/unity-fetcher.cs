#if UNITY_2019_4_OR_NEWER
namespace __Namespace__
{
    /// <summary>
    /// Asked for the player's token; with true for another one than the last, which has expired. Hands it to
    /// <paramref name="give"/>, at once or later, on the main thread; null where there is none.
    /// </summary>
    public delegate void __Model__UnityTokenCallback(bool refresh, global::System.Action<string> give);

    /// <summary>
    /// Fetches one player's records with UnityWebRequest, as a coroutine on the main thread, on every platform of Unity's,
    /// WebGL included: no threads, no timers, no game time.
    /// </summary>
    public sealed class __Model__UnityFetcher : global::System.IDisposable
    {
        private const string DisposedOf = "the fetcher was disposed of";

        private readonly FetchCore core;
        private readonly __Model__UnityTokenCallback token;
        private readonly global::System.Collections.Generic.List<Sent> running =
            new global::System.Collections.Generic.List<Sent>();
        private bool disposed;

        /// <param name="url">As it stands in the e-mail: https://recommendations.example.com</param>
        public __Model__UnityFetcher(string url, __Model__UnityTokenCallback token, __Model__FetchOptions options = null)
        {
            if (token == null) throw new global::System.ArgumentNullException("token");
            core = new FetchCore(url, options);
            this.token = token;
        }

#if MODEL_HAS_PARAMETERS
        /// <summary>For StartCoroutine. <paramref name="done"/> is called once: see Source and ErrorCode of the result.</summary>
        public global::System.Collections.IEnumerator Fetch(
            __Model__Parameters parameters, global::System.Action<__Model__Result> done)
        {
            return Run(core.Begin(parameters), done);
        }
#else
        /// <summary>For StartCoroutine. <paramref name="done"/> is called once: see Source and ErrorCode of the result.</summary>
        public global::System.Collections.IEnumerator Fetch(global::System.Action<__Model__Result> done)
        {
            return Run(core.Begin(), done);
        }
#endif

        /// <summary>
        /// For OnDestroy: ends the requests of coroutines that Unity has stopped, which otherwise end with the first fetch
        /// after their deadline. Those of other objects end, too, without another request: with a kept or built-in record,
        /// and the error network.
        /// </summary>
        public void Dispose()
        {
            disposed = true;
            foreach (var sent in running) End(sent.Request);
            running.Clear();
        }

        private global::System.Collections.IEnumerator Run(Fetch fetch, global::System.Action<__Model__Result> done)
        {
            while (fetch.Step != FetchStep.Done)
            {
                if (disposed) fetch.NetworkFailed(DisposedOf);
                else if (fetch.Step == FetchStep.AskToken)
                {
                    var given = new GivenToken();
                    Ask(fetch, given);
                    while (!given.IsGiven && fetch.Step != FetchStep.Done && HasTime(fetch)) yield return null;
                    if (given.IsGiven && fetch.Step != FetchStep.Done) fetch.TokenGiven(given.Token);
                }
                else if (fetch.Step == FetchStep.Send)
                {
                    var sent = Send(fetch);
                    if (sent == null) continue;
                    while (IsUnderWay(sent)) yield return null;
                    Take(sent);
                }
                else
                {
                    int resumeAtMs = fetch.RemainingMs - fetch.WaitMs;
                    while (fetch.RemainingMs > resumeAtMs && HasTime(fetch)) yield return null;
                    fetch.Waited();
                }
                if (fetch.RemainingMs <= 0 && fetch.Step != FetchStep.Done) fetch.DeadlinePassed();
            }
            done(fetch.Result);
        }

        private bool HasTime(Fetch fetch)
        {
            return !disposed && fetch.RemainingMs > 0;
        }

        /// <summary>The studio's own code, which may throw.</summary>
        private void Ask(Fetch fetch, GivenToken given)
        {
            try
            {
                token(fetch.RefreshToken, given.Give);
            }
            catch (global::System.Exception problem)
            {
                fetch.TokenFailed(problem.Message);
            }
        }

        /// <summary>Null where Unity doesn't send it: newer ones refuse http, by an exception.</summary>
        private Sent Send(Fetch fetch)
        {
            EndAbandoned();
            var request = global::UnityEngine.Networking.UnityWebRequest.Get(fetch.Url);
            try
            {
                // A gateway sends nobody elsewhere, and the token is for nobody else.
                request.redirectLimit = 0;
                request.SetRequestHeader("Authorization", fetch.Authorization);
                request.SetRequestHeader("Accept", FetchCore.MediaType);
                if (fetch.IfNoneMatch != null) request.SetRequestHeader("If-None-Match", fetch.IfNoneMatch);
                if (fetch.GatewayDeadlineMs != null)
                    request.SetRequestHeader("Recgate-Deadline-Ms", fetch.GatewayDeadlineMs);
                var sent = new Sent { Fetch = fetch, Request = request, Operation = request.SendWebRequest() };
                running.Add(sent);
                return sent;
            }
            catch (global::System.Exception problem)
            {
                request.Dispose();
                fetch.NetworkFailed(problem.Message);
                return null;
            }
        }

        /// <summary>
        /// A coroutine that Unity stops is told nothing, and never comes back for its request. One that still runs is past
        /// its deadline here, too.
        /// </summary>
        private void EndAbandoned()
        {
            for (int index = running.Count - 1; index >= 0; index--)
            {
                if (running[index].Fetch.RemainingMs > 0) continue;
                End(running[index].Request);
                running.RemoveAt(index);
            }
        }

        private static void End(global::UnityEngine.Networking.UnityWebRequest request)
        {
            request.Abort();
            request.Dispose();
        }

        private bool IsUnderWay(Sent sent)
        {
            // What was disposed of can't be asked.
            return running.Contains(sent) && !sent.Operation.isDone && sent.Fetch.RemainingMs > 0 &&
                sent.Request.downloadedBytes <= FetchCore.BodyBytesMax;
        }

        /// <summary>What came of it, unless somebody else has ended it.</summary>
        private void Take(Sent sent)
        {
            var fetch = sent.Fetch;
            if (!running.Remove(sent))
            {
                if (disposed) fetch.NetworkFailed(DisposedOf);
                else fetch.DeadlinePassed();
                return;
            }
            using (var request = sent.Request)
            {
                if (request.downloadedBytes > FetchCore.BodyBytesMax)
                {
                    request.Abort();
                    fetch.AnswerTooLong((int)request.responseCode);
                }
                else if (!sent.Operation.isDone)
                {
                    request.Abort();
                    fetch.DeadlinePassed();
                }
                else if (HasFailed(request)) fetch.NetworkFailed(request.error);
                else fetch.Answered(AnswerOf(request));
            }
        }

        private static bool HasFailed(global::UnityEngine.Networking.UnityWebRequest request)
        {
#if UNITY_2020_2_OR_NEWER
            return request.result == global::UnityEngine.Networking.UnityWebRequest.Result.ConnectionError ||
                request.result == global::UnityEngine.Networking.UnityWebRequest.Result.DataProcessingError;
#else
            return request.isNetworkError;
#endif
        }

        private static FetchAnswer AnswerOf(global::UnityEngine.Networking.UnityWebRequest request)
        {
            return new FetchAnswer
            {
                Status = (int)request.responseCode,
                ContentType = request.GetResponseHeader("Content-Type"),
                ETag = request.GetResponseHeader("ETag"),
                Recgate = request.GetResponseHeader("Recgate"),
                RetryAfter = request.GetResponseHeader("Retry-After"),
                Body = request.downloadHandler.data ?? new byte[0]
            };
        }

        /// <summary>A request until somebody disposes of it.</summary>
        private sealed class Sent
        {
            internal Fetch Fetch;
            internal global::UnityEngine.Networking.UnityWebRequest Request;
            internal global::UnityEngine.Networking.UnityWebRequestAsyncOperation Operation;
        }

        /// <summary>What a token callback hands over; only the first time counts.</summary>
        private sealed class GivenToken
        {
            internal bool IsGiven { get; private set; }

            internal string Token { get; private set; }

            internal void Give(string given)
            {
                if (IsGiven) return;
                Token = given;
                IsGiven = true;
            }
        }
    }
}
#endif
