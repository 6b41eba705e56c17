using System;

namespace RecgateTests
{
    public static class FramedBytes
    {
        /// <summary>
        /// The body between bytes that are none of it: whoever reads beside its range, or writes into it, is found out.
        /// </summary>
        public static byte[] Of(string hex)
        {
            int count = hex == "-" ? 0 : hex.Length / 2;
            var framed = new byte[count + 2 * Frame];
            for (int index = 0; index < framed.Length; index++) framed[index] = 0xA5;
            for (int index = 0; index < count; index++) framed[Frame + index] = Convert.ToByte(hex.Substring(2 * index, 2), 16);
            return framed;
        }

        public const int Frame = 3;
    }
}
