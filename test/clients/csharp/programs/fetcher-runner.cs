using System;
using System.Collections;
using System.Collections.Concurrent;
using System.Collections.Generic;
using System.IO;
using System.Text;
using System.Threading;

namespace RecgateTests
{
    /// <summary>
    /// One fetcher, which lives as long as its standard input. A line is a request's parameters, with tabs between them;
    /// what came of it is a line of JSON. Where the fetcher wants a token, a line {"refresh":…} asks for it, and a line
    /// "token …" gives it: "-" is none, "never" no answer, "throw" a callback that fails. "cancel" while a request is under
    /// way ends it, as its caller would, in Unity by stopping its coroutine; "dispose" disposes of a fetcher that can be;
    /// "late" stops the frames of a fetch in Unity until its deadline is over, and fetches the same with another coroutine
    /// before it goes on. "held" asks how many requests of Unity's nobody has disposed of.
    ///
    ///     fetcher-runner.exe http|unity URL DEADLINE_MS [no-model] [no-kept] [GATEWAY_DEADLINE_MS]
    /// </summary>
    public static class FetcherRunner
    {
        private static readonly BlockingCollection<string> Lines = new BlockingCollection<string>();
        private static readonly BlockingCollection<string> Tokens = new BlockingCollection<string>();
        private static volatile bool isCancelled;
        private static volatile bool isDisposed;
        private static volatile bool isLate;
        private static readonly StreamWriter Answers =
            new StreamWriter(Console.OpenStandardOutput(), new UTF8Encoding(false)) { NewLine = "\n", AutoFlush = true };

        public static void Main(string[] args)
        {
            new Thread(ReadLines) { IsBackground = true }.Start();
            IFetching fetching;
            try
            {
                fetching = Client.Open(args);
            }
            catch (ArgumentException problem)
            {
                Tell("refused", problem.Message);
                return;
            }
            foreach (string line in Lines.GetConsumingEnumerable())
            {
                if (line == "held")
                {
                    Tell("held", UnityEngine.Networking.UnityWebRequest.Held.ToString());
                    continue;
                }
                isCancelled = false;
                try
                {
                    Answers.WriteLine(fetching.Fetch(line.Split('\t')));
                }
                catch (ArgumentException problem)
                {
                    Tell("refused", problem.Message);
                }
                catch (OperationCanceledException)
                {
                    Tell("refused", "cancelled");
                }
            }
        }

        /// <summary>Asks the test, and waits for it.</summary>
        public static string AskToken(bool refresh)
        {
            var json = new JsonText();
            json.Open('{');
            json.Name("refresh");
            json.Write(refresh);
            json.Close('}');
            Answers.WriteLine(json);
            string token = Tokens.Take();
            if (token == "throw") throw new InvalidOperationException("nobody is logged in");
            return token == "-" ? null : token;
        }

        /// <summary>Whether the test has said so.</summary>
        public static bool IsCancelled { get { return isCancelled; } }

        public static bool IsDisposed { get { return isDisposed; } }

        /// <summary>True once for each time that the test says so.</summary>
        public static bool TakeLate()
        {
            bool wasLate = isLate;
            isLate = false;
            return wasLate;
        }

        private static void ReadLines()
        {
            var input = new StreamReader(Console.OpenStandardInput(), new UTF8Encoding(false));
            string line;
            while ((line = input.ReadLine()) != null)
            {
                if (line == "cancel") isCancelled = true;
                else if (line == "dispose") isDisposed = true;
                else if (line == "late") isLate = true;
                else if (line.StartsWith("token ")) Tokens.Add(line.Substring(6));
                else Lines.Add(line);
            }
            Lines.CompleteAdding();
        }

        private static void Tell(string name, string text)
        {
            var json = new JsonText();
            json.Open('{');
            json.Name(name);
            json.Write(text);
            json.Close('}');
            Answers.WriteLine(json);
        }
    }

    public interface IFetching
    {
        /// <summary>The result as JSON.</summary>
        string Fetch(string[] values);
    }

    /// <summary>Runs a coroutine as Unity does, a step a frame, all on one thread.</summary>
    public sealed class Frames
    {
        private readonly Queue<Action> next = new Queue<Action>();

        /// <summary>In the next frame.</summary>
        public void Later(Action action)
        {
            next.Enqueue(action);
        }

        /// <summary>False where the test cancelled it. What is given is done in every frame, before the coroutine's step.</summary>
        public bool Run(IEnumerator coroutine, Action everyFrame)
        {
            while (coroutine.MoveNext())
            {
                if (coroutine.Current != null) throw new InvalidOperationException("only frames are waited for");
                if (FetcherRunner.IsCancelled) return false;
                while (next.Count > 0) next.Dequeue()();
                Thread.Sleep(1);
                everyFrame();
            }
            return true;
        }
    }
}
