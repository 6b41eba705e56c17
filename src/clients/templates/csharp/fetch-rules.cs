namespace __Namespace__
{
    /// <summary>What a transport does next.</summary>
    internal enum FetchStep
    {
        AskToken,
        Send,
        Wait,
        Done
    }

    /// <summary>One player's last good answers, and what their requests have in common. Any thread may use it.</summary>
    internal sealed class FetchCore
    {
        internal const string MediaType = "application/vnd.recgate.packed";

        /// <summary>A record has 16,384 bytes at most; what is longer is no gateway's.</summary>
        internal const int BodyBytesMax = 65536;

        /// <summary>Answers that are kept, by their parameters; the oldest leave.</summary>
        private const int KeptMax = 32;

        private readonly string address;
        private readonly global::System.Collections.Generic.List<KeptAnswer> kept =
            new global::System.Collections.Generic.List<KeptAnswer>();

        internal FetchCore(string url, __Model__FetchOptions options)
        {
            Options = options ?? new __Model__FetchOptions();
            if (Options.DeadlineMs < 1)
                throw new global::System.ArgumentException("DeadlineMs is " + Options.DeadlineMs + ", but must be 1 or more");
            if (Options.GatewayDeadlineMs < 5 || Options.GatewayDeadlineMs > 999999999)
                throw new global::System.ArgumentException(
                    "GatewayDeadlineMs is " + Options.GatewayDeadlineMs + ", but must be from 5 to 999999999, or null");
            address = AddressOf(url);
        }

        internal __Model__FetchOptions Options { get; }

#if MODEL_HAS_PARAMETERS
        internal Fetch Begin(__Model__Parameters parameters)
        {
            if (parameters == null) throw new global::System.ArgumentNullException("parameters");
            return new Fetch(this, UrlOf(parameters.Query));
        }
#else
        internal Fetch Begin()
        {
            return new Fetch(this, UrlOf(""));
        }
#endif

        internal KeptAnswer Find(string url)
        {
            lock (kept)
            {
                foreach (var answer in kept)
                {
                    if (answer.Url == url) return answer;
                }
                return null;
            }
        }

        internal void Keep(KeptAnswer answer)
        {
            lock (kept)
            {
                for (int index = kept.Count - 1; index >= 0; index--)
                {
                    if (kept[index].Url == answer.Url) kept.RemoveAt(index);
                }
                if (kept.Count == KeptMax) kept.RemoveAt(0);
                kept.Add(answer);
            }
        }

        private string UrlOf(string query)
        {
            string model = Options.SendModel ? "model=__ModelId__" : "";
            string both = model + (model != "" && query != "" ? "&" : "") + query;
            return both == "" ? address : address + "?" + both;
        }

        private static string AddressOf(string url)
        {
            const string path = "/recommendations";
            global::System.Uri parsed;
            bool good = global::System.Uri.TryCreate(url, global::System.UriKind.Absolute, out parsed) &&
                (parsed.Scheme == "https" || parsed.Scheme == "http") &&
                parsed.Query == "" && parsed.Fragment == "" && parsed.UserInfo == "";
            if (!good)
                throw new global::System.ArgumentException(
                    "the gateway's URL is \"" + url + "\", but must be like https://recommendations.example.com, without ? and #");
            // As Uri does.
            string trimmed = url.Trim().TrimEnd('/');
            return trimmed.EndsWith(path, global::System.StringComparison.Ordinal) ? trimmed : trimmed + path;
        }
    }

    /// <summary>A good answer, as it came.</summary>
    internal sealed class KeptAnswer
    {
        internal string Url;
        /// <summary>Null where the answer had none.</summary>
        internal string ETag;
        internal byte[] Body;
        internal string Version;
        internal string Reason;
    }

    /// <summary>
    /// One fetch, from the first try to its result. It knows the rules and no network: a transport does what
    /// <see cref="Step"/> says, tells what came of it, and asks again.
    /// </summary>
    internal sealed class Fetch
    {
        private readonly FetchCore core;
        private readonly KeptAnswer kept;
        private readonly global::System.Diagnostics.Stopwatch clock = global::System.Diagnostics.Stopwatch.StartNew();
        private bool waited;
        private int status;

        internal Fetch(FetchCore core, string url)
        {
            this.core = core;
            Url = url;
            kept = core.Find(url);
        }

        internal FetchStep Step { get; private set; }

        /// <summary>With AskToken: the last token has expired, so that another one is needed.</summary>
        internal bool RefreshToken { get; private set; }

        /// <summary>With Wait.</summary>
        internal int WaitMs { get; private set; }

        internal string Url { get; }

        /// <summary>The header's value.</summary>
        internal string Authorization { get; private set; }

        /// <summary>The header's value; null: it isn't sent.</summary>
        internal string IfNoneMatch
        {
            get { return kept == null ? null : kept.ETag; }
        }

        /// <summary>Of Recgate-Deadline-Ms; null: it isn't sent.</summary>
        internal string GatewayDeadlineMs
        {
            get
            {
                int? ms = core.Options.GatewayDeadlineMs;
                return ms == null ? null : ms.Value.ToString(global::System.Globalization.CultureInfo.InvariantCulture);
            }
        }

        /// <summary>Until the deadline; 0 and below: it has passed.</summary>
        internal int RemainingMs
        {
            get { return (int)global::System.Math.Max(-1, core.Options.DeadlineMs - clock.ElapsedMilliseconds); }
        }

        /// <summary>With Done.</summary>
        internal __Model__Result Result { get; private set; }

        internal void TokenGiven(string token)
        {
            if (string.IsNullOrEmpty(token))
            {
                Fail("token-callback", "the token callback gave no token");
                return;
            }
            foreach (char character in token)
            {
                if (character > ' ' && character < '\x7f') continue;
                Fail("token-callback", "the token callback gave text that is no token: only printable ASCII without spaces is");
                return;
            }
            Authorization = "Bearer " + token;
            Step = FetchStep.Send;
        }

        internal void TokenFailed(string detail)
        {
            Fail("token-callback", "the token callback failed: " + detail);
        }

        internal void Waited()
        {
            Step = FetchStep.Send;
        }

        /// <summary>No answer came, or not the whole of it. Not tried again: nobody asked for a second.</summary>
        internal void NetworkFailed(string detail)
        {
            Fail("network", "no answer: " + detail);
        }

        internal void AnswerTooLong(int answerStatus)
        {
            status = answerStatus;
            Fail("answer-unexpected", "the answer is longer than any gateway's");
        }

        internal void DeadlinePassed()
        {
            Fail("deadline", "no answer within " + core.Options.DeadlineMs + " ms");
        }

        /// <summary>An answer has come whole. Headers that it lacks are null.</summary>
        internal void Answered(FetchAnswer answer)
        {
            status = answer.Status;
            if (status == 200) TakeRecord(answer);
            else if (status == 304 && IfNoneMatch != null) TakeUnchanged(answer);
            else TakeRefusal(answer);
        }

        private void TakeRecord(FetchAnswer answer)
        {
            if (!IsMediaType(answer.ContentType, FetchCore.MediaType))
            {
                Fail("answer-unexpected", "the answer is " + (answer.ContentType ?? "of no type") + ", not " + FetchCore.MediaType);
                return;
            }
            __Model__Record record;
            __Model__DecodeError error;
            if (!__Model__Decoder.TryDecode(answer.Body, 0, answer.Body.Length, out record, out error))
            {
                Fail(error.CodeText, "the answer is no record: " + error);
                return;
            }
            string version = HeaderText.Member(answer.Recgate, "v");
            string reason = HeaderText.Member(answer.Recgate, "r");
            core.Keep(new KeptAnswer
            {
                Url = Url, ETag = answer.ETag, Body = answer.Body, Version = version, Reason = reason
            });
            Finish(new __Model__Result(__Model__Source.Gateway, record) { Version = version, Reason = reason });
        }

        private void TakeUnchanged(FetchAnswer answer)
        {
            Finish(new __Model__Result(__Model__Source.Gateway, __Model__Decoder.Decode(kept.Body))
            {
                Version = HeaderText.Member(answer.Recgate, "v") ?? kept.Version,
                Reason = HeaderText.Member(answer.Recgate, "r") ?? kept.Reason
            });
        }

        private void TakeRefusal(FetchAnswer answer)
        {
            bool isProblem = IsMediaType(answer.ContentType, "application/problem+json");
            string problem = isProblem ? global::System.Text.Encoding.UTF8.GetString(answer.Body) : "";
            string code = ProblemText.Member(problem, "code");
            if (status == 401 && code == "token-expired" && !RefreshToken)
            {
                RefreshToken = true;
                Step = FetchStep.AskToken;
                return;
            }
            int waitMs = HeaderText.SecondsAsMs(answer.RetryAfter);
            if ((status == 429 || status == 503) && !waited && waitMs >= 0 && waitMs < RemainingMs)
            {
                waited = true;
                WaitMs = waitMs;
                Step = FetchStep.Wait;
                return;
            }
            string detail = ProblemText.Member(problem, "detail");
            Fail(code ?? "answer-unexpected", detail ?? "the answer has the status " + status);
        }

        /// <summary>Nothing better will come.</summary>
        private void Fail(string code, string detail)
        {
            __Model__Result result;
            if (kept != null && core.Options.UseKept)
                result = new __Model__Result(__Model__Source.Kept, __Model__Decoder.Decode(kept.Body))
                {
                    Version = kept.Version, Reason = "kept"
                };
            else if (__Model__Decoder.HasDefaultRecord)
                result = new __Model__Result(__Model__Source.BuiltIn, __Model__Decoder.DefaultRecord()) { Reason = "built-in" };
            else
                result = new __Model__Result(__Model__Source.None, null);
            result.ErrorCode = code;
            result.ErrorDetail = detail;
            Finish(result);
        }

        private void Finish(__Model__Result result)
        {
            result.Status = status;
            Result = result;
            Step = FetchStep.Done;
        }

        /// <summary>Whatever parameters follow it.</summary>
        private static bool IsMediaType(string contentType, string mediaType)
        {
            if (contentType == null) return false;
            int end = contentType.IndexOf(';');
            string alone = (end < 0 ? contentType : contentType.Substring(0, end)).Trim();
            return string.Equals(alone, mediaType, global::System.StringComparison.OrdinalIgnoreCase);
        }
    }

    /// <summary>What a transport has received.</summary>
    internal struct FetchAnswer
    {
        internal int Status;
        internal string ContentType;
        internal string ETag;
        internal string Recgate;
        internal string RetryAfter;
        internal byte[] Body;
    }
}
