namespace __Namespace__
{
    /// <summary>Whether a parameter's value is one that the gateway takes; its text for the URL.</summary>
    internal static class ParameterCheck
    {
        internal static string OneOf(string name, string value, string[] values)
        {
            if (global::System.Array.IndexOf(values, value) >= 0) return global::System.Uri.EscapeDataString(value);
            throw Refused(name, value, values.Length <= 20 ? "one of " + string.Join(", ", values) : "one of the declared values");
        }

        internal static string Whole(string name, long value, long max)
        {
            string text = value.ToString(global::System.Globalization.CultureInfo.InvariantCulture);
            if (value >= 0 && value <= max) return text;
            throw Refused(name, text, "a whole number from 0 to " + max);
        }

        internal static string Id(string name, string value, int bytesMax)
        {
            bool good = !string.IsNullOrEmpty(value) && value.Length <= bytesMax;
            for (int index = 0; good && index < value.Length; index++)
            {
                char one = value[index];
                good = (one >= 'A' && one <= 'Z') || (one >= 'a' && one <= 'z') || (one >= '0' && one <= '9') ||
                    one == '_' || one == '.' || one == '-';
            }
            if (good) return value;
            throw Refused(name, value, "1 to " + bytesMax + " of A-Z, a-z, 0-9, \"_\", \".\" and \"-\"");
        }

        private static global::System.ArgumentException Refused(string name, string value, string fits)
        {
            return new global::System.ArgumentException(
                "the parameter " + name + " is " + (value == null ? "null" : "\"" + value + "\"") + ", but must be " + fits);
        }
    }
}
