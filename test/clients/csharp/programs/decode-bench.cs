using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Globalization;
using System.IO;
using System.Runtime.Serialization;
using System.Runtime.Serialization.Json;
using System.Text;
using System.Web.Script.Serialization;
using Recgate.DemoStudio.Games;

namespace RecgateTests
{
    /// <summary>
    /// Reads the same records again and again, packed and as JSON, in turns:
    ///
    ///     decode-bench.exe FILE REPETITIONS ROUNDS
    ///
    /// FILE has a record a line, hex and JSON with a tab between them. Each repetition is a line of nanoseconds a record: by
    /// the generated decoder, and by JavaScriptSerializer and DataContractJsonSerializer into a class of the same fields.
    /// </summary>
    public static class DecodeBench
    {
        private static readonly List<byte[]> Packed = new List<byte[]>();
        private static readonly List<string> Texts = new List<string>();
        private static readonly List<byte[]> TextBytes = new List<byte[]>();
        private static readonly JavaScriptSerializer Plain = new JavaScriptSerializer();
        private static readonly DataContractJsonSerializer Contract = new DataContractJsonSerializer(typeof(JsonRecord));
        private static int read;

        [DataContract]
        public sealed class JsonRecord
        {
            [DataMember] public string segment = "";
            [DataMember] public double hours_played = 0;
            [DataMember] public int[] games = null;
            [DataMember] public double[] scores = null;
        }

        public static void Main(string[] args)
        {
            foreach (string line in File.ReadAllLines(args[0]))
            {
                string[] parts = line.Split('\t');
                var bytes = new byte[parts[0].Length / 2];
                for (int index = 0; index < bytes.Length; index++) bytes[index] = Convert.ToByte(parts[0].Substring(2 * index, 2), 16);
                Packed.Add(bytes);
                Texts.Add(parts[1]);
                TextBytes.Add(Encoding.UTF8.GetBytes(parts[1]));
            }
            int repetitions = int.Parse(args[1], CultureInfo.InvariantCulture);
            int rounds = int.Parse(args[2], CultureInfo.InvariantCulture);
            // The first two are for the compiler.
            for (int repetition = -2; repetition < repetitions; repetition++)
            {
                double decoder = NsPerRecord(Decode, rounds);
                // So slow that fewer rounds tell as much.
                double plain = NsPerRecord(ParsePlain, Math.Max(1, rounds / 50));
                double contract = NsPerRecord(ParseContract, Math.Max(1, rounds / 50));
                if (repetition < 0) continue;
                Console.WriteLine(string.Format(CultureInfo.InvariantCulture, "{0:F1} {1:F1} {2:F1}", decoder, plain, contract));
            }
            if (read == 0) throw new InvalidOperationException("nothing was read");
        }

        private static double NsPerRecord(Action round, int rounds)
        {
            var clock = Stopwatch.StartNew();
            for (int count = 0; count < rounds; count++) round();
            return clock.Elapsed.TotalMilliseconds * 1e6 / ((double)rounds * Packed.Count);
        }

        private static void Decode()
        {
            foreach (var bytes in Packed)
            {
                GamesRecord record;
                GamesDecodeError error;
                if (!GamesDecoder.TryDecode(bytes, 0, bytes.Length, out record, out error))
                    throw new InvalidOperationException(error.ToString());
                read += record.Games.Length;
            }
        }

        private static void ParsePlain()
        {
            foreach (string text in Texts) read += Plain.Deserialize<JsonRecord>(text).games.Length;
        }

        private static void ParseContract()
        {
            foreach (var bytes in TextBytes)
            {
                using (var stream = new MemoryStream(bytes)) read += ((JsonRecord)Contract.ReadObject(stream)).games.Length;
            }
        }
    }
}
