using System;
using Recgate.Golden.Lean;

namespace RecgateTests
{
    /// <summary>
    /// Bytes of garbage a record, in whole: decoding it, building the same by hand, and failing at the same bytes without
    /// the last one. "allocations.exe HEX"
    /// </summary>
    public static class Allocations
    {
        private const int Rounds = 100000;

        public static void Main(string[] args)
        {
            var framed = FramedBytes.Of(args[0]);
            int count = framed.Length - 2 * FramedBytes.Frame;
            string label = LeanDecoder.Decode(framed, FramedBytes.Frame, count).Home.Label;
            // The first round of each has its types and its buffer made.
            Decode(framed, count, 1);
            Decode(framed, count - 1, 1);
            Build(label, 1);
            Console.WriteLine("{0} {1} {2}", Decode(framed, count, Rounds), Build(label, Rounds), Decode(framed, count - 1, Rounds));
        }

        private static long Decode(byte[] framed, int count, int rounds)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int round = 0; round < rounds; round++)
            {
                LeanRecord record;
                LeanDecodeError error;
                LeanDecoder.TryDecode(framed, FramedBytes.Frame, count, out record, out error);
            }
            return (GC.GetAllocatedBytesForCurrentThread() - before) / Rounds;
        }

        /// <summary>The default record, whose text is a literal, and so a copy of that.</summary>
        private static long Build(string label, int rounds)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int round = 0; round < rounds; round++) LeanDecoder.DefaultRecord().Home.Label = string.Copy(label);
            return (GC.GetAllocatedBytesForCurrentThread() - before) / Rounds;
        }
    }
}
