using System;
using System.Globalization;
using System.IO;
using System.Text;

namespace RecgateTests
{
    /// <summary>Answers questions as test/clients/support/client-runner.ts has them, by decoders that stand in other files.</summary>
    public static class DecoderRunner
    {
        public static void Main()
        {
            var answers = new StreamWriter(Console.OpenStandardOutput(), new UTF8Encoding(false)) { NewLine = "\n" };
            string question;
            while ((question = Console.In.ReadLine()) != null)
            {
                int space = question.IndexOf(' ');
                int index = int.Parse(question.Substring(0, space), CultureInfo.InvariantCulture);
                answers.WriteLine(Models.Answer(index, question.Substring(space + 1)));
            }
            answers.Flush();
        }
    }
}
