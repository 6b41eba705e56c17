namespace __Namespace__
{
    internal static class HeaderText
    {
        /// <summary>Of a structured field such as <c>v=itemcf, r=split</c> (RFC 8941); null where it lacks the member.</summary>
        internal static string Member(string header, string name)
        {
            if (header == null) return null;
            foreach (string member in header.Split(','))
            {
                int equals = member.IndexOf('=');
                if (equals < 0 || member.Substring(0, equals).Trim() != name) continue;
                int end = member.IndexOf(';', equals);
                return member.Substring(equals + 1, (end < 0 ? member.Length : end) - equals - 1).Trim();
            }
            return null;
        }

        /// <summary>Of Retry-After, where it is seconds, and less than a day of them; -1 otherwise.</summary>
        internal static int SecondsAsMs(string header)
        {
            if (header == null || header.Length == 0 || header.Length > 5) return -1;
            int seconds = 0;
            foreach (char digit in header)
            {
                if (digit < '0' || digit > '9') return -1;
                seconds = seconds * 10 + (digit - '0');
            }
            return seconds * 1000;
        }
    }

    internal static class ProblemText
    {
        /// <summary>The text of a JSON object's own member of that name; null where it has none.</summary>
        internal static string Member(string json, string name)
        {
            int depth = 0;
            string key = null;
            bool isValue = false;
            for (int at = 0; at < json.Length; at++)
            {
                char character = json[at];
                if (character == '"')
                {
                    string text = Unquote(json, ref at);
                    if (depth != 1) continue;
                    if (isValue && key == name) return text;
                    if (!isValue) key = text;
                }
                else if (character == '{' || character == '[') depth++;
                else if (character == '}' || character == ']') depth--;
                else if (depth == 1 && character == ':') isValue = true;
                else if (depth == 1 && character == ',') isValue = false;
            }
            return null;
        }

        /// <summary>From one quote to the next, at which <paramref name="at"/> stands then.</summary>
        private static string Unquote(string json, ref int at)
        {
            var text = new global::System.Text.StringBuilder();
            for (at++; at < json.Length && json[at] != '"'; at++)
            {
                if (json[at] != '\\' || at + 1 == json.Length)
                {
                    text.Append(json[at]);
                    continue;
                }
                char escaped = json[++at];
                int unit;
                if (escaped == 'u' && at + 4 < json.Length && int.TryParse(
                    json.Substring(at + 1, 4), global::System.Globalization.NumberStyles.AllowHexSpecifier,
                    global::System.Globalization.CultureInfo.InvariantCulture, out unit))
                {
                    text.Append((char)unit);
                    at += 4;
                }
                else text.Append(escaped == 'n' ? '\n' : escaped == 't' ? '\t' : escaped == 'r' ? '\r' : escaped);
            }
            return text.ToString();
        }
    }
}
