using System;
using System.Globalization;
using System.Text;

namespace RecgateTests
{
    /// <summary>JSON as it is written.</summary>
    public sealed class JsonText
    {
        private readonly StringBuilder text = new StringBuilder();
        private bool isFirst = true;

        public override string ToString()
        {
            return text.ToString();
        }

        public void Open(char bracket)
        {
            text.Append(bracket);
            isFirst = true;
        }

        public void Close(char bracket)
        {
            text.Append(bracket);
            isFirst = false;
        }

        /// <summary>Before every item of a list, and by Name before every member.</summary>
        public void Next()
        {
            if (!isFirst) text.Append(',');
            isFirst = false;
        }

        public void Name(string name)
        {
            Next();
            text.Append('"').Append(name).Append("\":");
        }

        public void WriteNull()
        {
            text.Append("null");
        }

        public void Write(bool value)
        {
            text.Append(value ? "true" : "false");
        }

        public void Write(long value)
        {
            text.Append(value.ToString(CultureInfo.InvariantCulture));
        }

        public void Write(double value)
        {
            text.Append(value.ToString("G17", CultureInfo.InvariantCulture));
        }

        public void Write(byte[] value)
        {
            text.Append('"').Append(Convert.ToBase64String(value)).Append('"');
        }

        public void Write(string value)
        {
            text.Append('"');
            foreach (char unit in value)
            {
                if (unit >= ' ' && unit <= '~' && unit != '"' && unit != '\\') text.Append(unit);
                else text.Append("\\u").Append(((int)unit).ToString("x4", CultureInfo.InvariantCulture));
            }
            text.Append('"');
        }

        public void Write(DateTime value, bool fraction)
        {
            if (value.Kind != DateTimeKind.Utc) throw new InvalidOperationException("a time that isn't UTC: " + value);
            string form = fraction ? "yyyy-MM-ddTHH:mm:ss.fffZ" : "yyyy-MM-ddTHH:mm:ssZ";
            text.Append('"').Append(value.ToString(form.Replace("T", "'T'").Replace("Z", "'Z'"), CultureInfo.InvariantCulture)).Append('"');
        }

        /// <summary>Unix milliseconds of a year that a DateTime may not have: written as that of 400 years later, which has the same days.</summary>
        public void WriteUnixMs(long ms, bool fraction)
        {
            const long cycleMs = 146097L * 86400000L;
            var shifted = new DateTime(621355968000000000L, DateTimeKind.Utc);
            bool isYearZero = ms < -62135596800000L;
            shifted = shifted.AddTicks((isYearZero ? ms + cycleMs : ms) * 10000L);
            int start = text.Length + 1;
            Write(shifted, fraction);
            if (isYearZero) text.Remove(start, 4).Insert(start, "0000");
        }
    }
}
