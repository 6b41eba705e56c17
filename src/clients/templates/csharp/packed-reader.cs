namespace __Namespace__
{
    /// <summary>Why bytes are no record of this schema: a closed list, the gateway's own.</summary>
    public enum __Model__DecodeErrorCode
    {
        /// <summary>Nothing is wrong.</summary>
        None,
        /// <summary>No bytes at all.</summary>
        PackedEmpty,
        /// <summary>Byte 0 is 0, which is no revision.</summary>
        RevisionZero,
        /// <summary>The bytes end inside a field.</summary>
        PackedTruncated,
        /// <summary>Bytes are left over after the last field of a known revision.</summary>
        PackedTrailing,
        /// <summary>The bits between the last field and the end of its byte aren't zero.</summary>
        PaddingNonzero,
        /// <summary>Bits that stand for no value of their field.</summary>
        BitsRange,
        /// <summary>More bytes or items than the field may have.</summary>
        LengthRange,
        /// <summary>Text that isn't UTF-8.</summary>
        Utf8Invalid
    }

    /// <summary>What is wrong with bytes, and in which field.</summary>
    public struct __Model__DecodeError
    {
        internal __Model__DecodeError(__Model__DecodeErrorCode code, string field)
        {
            Code = code;
            Field = field;
        }

        public __Model__DecodeErrorCode Code { get; }

        /// <summary>The schema's names, from the record on: <c>home.x</c>. Empty where the record as a whole is wrong.</summary>
        public string Field { get; }

        /// <summary>As the gateway and the other clients spell it: <c>packed-truncated</c>. Empty where nothing is wrong.</summary>
        public string CodeText
        {
            get
            {
                switch (Code)
                {
                    case __Model__DecodeErrorCode.PackedEmpty: return "packed-empty";
                    case __Model__DecodeErrorCode.RevisionZero: return "revision-zero";
                    case __Model__DecodeErrorCode.PackedTruncated: return "packed-truncated";
                    case __Model__DecodeErrorCode.PackedTrailing: return "packed-trailing";
                    case __Model__DecodeErrorCode.PaddingNonzero: return "padding-nonzero";
                    case __Model__DecodeErrorCode.BitsRange: return "bits-range";
                    case __Model__DecodeErrorCode.LengthRange: return "length-range";
                    case __Model__DecodeErrorCode.Utf8Invalid: return "utf8-invalid";
                    default: return "";
                }
            }
        }

        public override string ToString()
        {
            return string.IsNullOrEmpty(Field) ? CodeText : Field + ": " + CodeText;
        }
    }

    /// <summary>What <c>Decode</c> throws; <c>TryDecode</c> never does.</summary>
    public sealed class __Model__DecodeException : global::System.Exception
    {
        internal __Model__DecodeException(__Model__DecodeError error) : base("not a packed record of this schema: " + error)
        {
            Error = error;
        }

        public __Model__DecodeError Error { get; }
    }

    /// <summary>
    /// Reads bits, most significant first, and never past the end. After the first error every read gives zero and the
    /// error stays, so that whoever reads asks once, at the end.
    /// </summary>
    internal struct BitReader
    {
        /// <summary>No record is longer, and so many bits can be counted.</summary>
        private const int BytesMax = 0x1000000;

        /// <summary>Where a text's characters stand before they become a string; one for each thread, and only ever grown.</summary>
        [global::System.ThreadStatic]
        private static char[] characters;

        private readonly byte[] bytes;
        private readonly int first;
        /// <summary>In bits from the first byte on; below zero once something was wrong.</summary>
        private int end;
        private int position;
        private __Model__DecodeError error;

        internal BitReader(byte[] bytes, int offset, int count)
        {
            if (bytes == null) throw new global::System.ArgumentNullException("bytes");
            if (offset < 0 || offset > bytes.Length) throw new global::System.ArgumentOutOfRangeException("offset");
            if (count < 0 || count > bytes.Length - offset) throw new global::System.ArgumentOutOfRangeException("count");
            this.bytes = bytes;
            first = offset;
            end = (count < BytesMax ? count : BytesMax) * 8;
            position = 0;
            error = new __Model__DecodeError(__Model__DecodeErrorCode.None, "");
        }

        internal __Model__DecodeError Error
        {
            get { return error; }
        }

        /// <summary>Byte 0; 0 where it is none.</summary>
        internal int Revision()
        {
            if (end == 0)
            {
                Fail(__Model__DecodeErrorCode.PackedEmpty, "");
                return 0;
            }
            int revision = (int)Read(8, "");
            if (revision == 0) Fail(__Model__DecodeErrorCode.RevisionZero, "");
            return revision;
        }

        /// <summary>Nothing may follow but zero bits to the end of the byte.</summary>
        internal void ExpectEnd()
        {
            int rest = end - position;
            if (rest >= 8) Fail(__Model__DecodeErrorCode.PackedTrailing, "");
            else if (rest > 0 && Read(rest, "") != 0) Fail(__Model__DecodeErrorCode.PaddingNonzero, "");
        }

        /// <summary>The presence bit of an optional field, or a bool.</summary>
        internal bool Bit(string field)
        {
            return Read(1, field) != 0;
        }

        /// <summary>Up to 25 bits, at most <paramref name="max"/>.</summary>
        internal int Number(int width, int max, string field)
        {
            int value = (int)Read(width, field);
            if (value <= max) return value;
            Fail(__Model__DecodeErrorCode.BitsRange, field);
            return 0;
        }

        /// <summary>Up to 53 bits, at most <paramref name="max"/>.</summary>
        internal long LongNumber(int width, long max, string field)
        {
            long value = ReadLong(width, field);
            if (value <= max) return value;
            Fail(__Model__DecodeErrorCode.BitsRange, field);
            return 0;
        }

        /// <summary>
        /// The index of an enum's value: below <paramref name="known"/>, or else <paramref name="unknown"/> where it is
        /// below <paramref name="room"/>, and so a newer schema's.
        /// </summary>
        internal int Index(int width, int known, int room, int unknown, string field)
        {
            int index = (int)Read(width, field);
            if (index < known) return index;
            if (index < room) return unknown;
            Fail(__Model__DecodeErrorCode.BitsRange, field);
            return 0;
        }

        internal global::System.DateTime Instant(int width, long fromTicks, long stepTicks, string field)
        {
            return new global::System.DateTime(fromTicks + stepTicks * ReadLong(width, field), global::System.DateTimeKind.Utc);
        }

        /// <summary>Of a list's items, or of a text's bytes.</summary>
        internal int Length(int width, int max, string field)
        {
            int length = (int)Read(width, field);
            if (length <= max) return length;
            Fail(__Model__DecodeErrorCode.LengthRange, field);
            return 0;
        }

        internal byte[] Bytes(int lengthWidth, int bytesMax, string field)
        {
            int length = Length(lengthWidth, bytesMax, field);
            if (!Has(length * 8, field)) length = 0;
            var copy = new byte[length];
            for (int index = 0; index < length; index++) copy[index] = (byte)NextByte();
            return copy;
        }

        internal string Text(int lengthWidth, int bytesMax, string field)
        {
            int length = Length(lengthWidth, bytesMax, field);
            if (length == 0 || !Has(length * 8, field)) return "";
            if (characters == null || characters.Length < length) characters = new char[bytesMax];
            int count = Utf8(length, characters);
            if (count >= 0) return new string(characters, 0, count);
            Fail(__Model__DecodeErrorCode.Utf8Invalid, field);
            return "";
        }

        /// <summary>The next bytes as UTF-16 units; -1 where they aren't UTF-8 (Unicode 15, table 3-7).</summary>
        private int Utf8(int length, char[] into)
        {
            int count = 0;
            while (length > 0)
            {
                int lead = NextByte();
                length--;
                if (lead < 0x80)
                {
                    into[count++] = (char)lead;
                    continue;
                }
                int more = lead < 0xC2 ? 0 : lead < 0xE0 ? 1 : lead < 0xF0 ? 2 : lead < 0xF5 ? 3 : 0;
                if (more == 0 || more > length) return -1;
                // Overlong forms, surrogates and what lies beyond U+10FFFF show in the second byte.
                int least = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
                int greatest = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
                int point = lead & (0x3F >> more);
                for (; more > 0; more--)
                {
                    int next = NextByte();
                    length--;
                    if (next < least || next > greatest) return -1;
                    least = 0x80;
                    greatest = 0xBF;
                    point = (point << 6) | (next & 0x3F);
                }
                if (point < 0x10000)
                {
                    into[count++] = (char)point;
                    continue;
                }
                into[count++] = (char)(0xD7C0 + (point >> 10));
                into[count++] = (char)(0xDC00 + (point & 0x3FF));
            }
            return count;
        }

        /// <summary>Up to 25 bits, which lie in 4 bytes wherever they begin.</summary>
        private uint Read(int width, string field)
        {
            if (!Has(width, field) || width == 0) return 0;
            int stop = position + width;
            int index = first + (position >> 3);
            int last = first + ((stop - 1) >> 3);
            position = stop;
            uint gathered = bytes[index];
            while (index < last) gathered = (gathered << 8) | bytes[++index];
            return (gathered >> (-stop & 7)) & ((1u << width) - 1);
        }

        /// <summary>Up to 53 bits, which lie in 8 bytes wherever they begin.</summary>
        internal long ReadLong(int width, string field)
        {
            if (!Has(width, field) || width == 0) return 0;
            int stop = position + width;
            int index = first + (position >> 3);
            int last = first + ((stop - 1) >> 3);
            position = stop;
            ulong gathered = bytes[index];
            while (index < last) gathered = (gathered << 8) | bytes[++index];
            return (long)((gathered >> (-stop & 7)) & ((1ul << width) - 1));
        }

        /// <summary>Eight bits that are known to be there.</summary>
        private int NextByte()
        {
            int index = first + (position >> 3);
            int shift = position & 7;
            position += 8;
            return shift == 0 ? bytes[index] : ((bytes[index] << shift) | (bytes[index + 1] >> (8 - shift))) & 0xFF;
        }

        private bool Has(int width, string field)
        {
            if (position + width <= end) return true;
            Fail(__Model__DecodeErrorCode.PackedTruncated, field);
            return false;
        }

        /// <summary>Only the first error counts.</summary>
        private void Fail(__Model__DecodeErrorCode code, string field)
        {
            if (end < 0) return;
            end = -1;
            error = new __Model__DecodeError(code, field);
        }
    }
}
