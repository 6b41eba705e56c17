namespace __Namespace__
{
    /// <summary>Where a result's record comes from.</summary>
    public enum __Model__Source
    {
        /// <summary>The gateway has just sent it, or has just said that the last one still holds (status 304).</summary>
        Gateway,
        /// <summary>Nothing good came: the last good record, whatever its age.</summary>
        Kept,
        /// <summary>Nothing good came, ever: the default record that is compiled in.</summary>
        BuiltIn,
        /// <summary>Nothing good came, and the model has no default record.</summary>
        None
    }

    /// <summary>A record, and all that a studio's analytics want to know of how it came.</summary>
    public sealed class __Model__Result
    {
        internal __Model__Result(__Model__Source source, __Model__Record record)
        {
            Source = source;
            Record = record;
        }

        public __Model__Source Source { get; }

        /// <summary>Null where <see cref="Source"/> is None; yours to change.</summary>
        public __Model__Record Record { get; }

        /// <summary>The player's arm of the experiment; null where no gateway named one.</summary>
        public string Version { get; internal set; }

        /// <summary>
        /// The gateway's reason (split, override, sibling, stale, default, and what later gateways add), or kept,
        /// or built-in; null where there is no record, or a gateway named none.
        /// </summary>
        public string Reason { get; internal set; }

        /// <summary>Of the last answer, 304 for one that still holds; 0 where there was none.</summary>
        public int Status { get; internal set; }

        /// <summary>
        /// What kept a newer record from coming: a code of the gateway's (docs/http.md), of the decoder's
        /// (packed-truncated …), or one of network, deadline, token-callback and answer-unexpected; null where nothing did.
        /// </summary>
        public string ErrorCode { get; internal set; }

        /// <summary>The same for people, in one sentence; null where nothing went wrong.</summary>
        public string ErrorDetail { get; internal set; }
    }

    public sealed class __Model__FetchOptions
    {
        /// <summary>For everything: tokens, tries and waits. Milliseconds, 1 or more.</summary>
        public int DeadlineMs { get; set; } = 5000;

        /// <summary>Lowers what the gateway allows itself for reading, __DeadlineMs__ ms; 5 or more. Null: as it is.</summary>
        public int? GatewayDeadlineMs { get; set; }

        /// <summary>Asks for the model by name, which tokens for several models need.</summary>
        public bool SendModel { get; set; } = true;

        /// <summary>Whether the last good record may stand in when nothing good comes; without it the built-in one does.</summary>
        public bool UseKept { get; set; } = true;
    }
}
