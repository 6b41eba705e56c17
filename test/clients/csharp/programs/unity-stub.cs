using System;
using System.Collections;
using System.Collections.Generic;
using System.IO;
using System.Net;
using System.Text;
using System.Threading;

// As much of Unity as the client and its samples touch, on real HTTP: what Unity promises of it, and no more.

namespace UnityEngine
{
    public class Object
    {
    }

    public class Component : Object
    {
    }

    public class Coroutine
    {
    }

    public class AsyncOperation
    {
        internal volatile bool done;

        public bool isDone
        {
            get { return done; }
        }
    }

    [AttributeUsage(AttributeTargets.Field)]
    public sealed class SerializeField : Attribute
    {
    }

    [AttributeUsage(AttributeTargets.Field)]
    public sealed class TooltipAttribute : Attribute
    {
        public TooltipAttribute(string tooltip)
        {
        }
    }

    public class MonoBehaviour : Component
    {
        private readonly List<IEnumerator> coroutines = new List<IEnumerator>();

        public Coroutine StartCoroutine(IEnumerator routine)
        {
            // Unity runs it to its first yield at once.
            if (routine.MoveNext()) coroutines.Add(routine);
            return new Coroutine();
        }

        public void StopAllCoroutines()
        {
            coroutines.Clear();
        }

        /// <summary>One frame; false once nothing is left to do. Not Unity's: the tests' own.</summary>
        public bool Frame()
        {
            foreach (var routine in coroutines.ToArray())
            {
                if (!Advance(routine)) coroutines.Remove(routine);
            }
            return coroutines.Count > 0;
        }

        /// <summary>A coroutine that waits for an operation rests until that is done.</summary>
        private static bool Advance(IEnumerator routine)
        {
            var awaited = routine.Current as AsyncOperation;
            return (awaited != null && !awaited.isDone) || routine.MoveNext();
        }
    }

    public static class Debug
    {
        public static void Log(object message)
        {
            Console.WriteLine(message);
        }

        public static void LogWarning(object message)
        {
            Console.WriteLine("warning: " + message);
        }
    }
}

namespace UnityEngine.Networking
{
    public class DownloadHandler
    {
        /// <summary>Null while there is none, as in Unity.</summary>
        public byte[] data { get; internal set; }

        public string text
        {
            get { return data == null ? "" : Encoding.UTF8.GetString(data); }
        }
    }

    public class UnityWebRequestAsyncOperation : AsyncOperation
    {
        public UnityWebRequest webRequest { get; internal set; }
    }

    public class UnityWebRequest : IDisposable
    {
        private readonly HttpWebRequest request;
        private readonly int mainThread = Thread.CurrentThread.ManagedThreadId;
        private readonly UnityWebRequestAsyncOperation operation = new UnityWebRequestAsyncOperation();
        private HttpWebResponse response;
        private string failure;
        private long received;
        private volatile bool aborted;
        private bool disposed;

        /// <summary>How many nobody has disposed of, for the tests: each holds what no garbage collector frees.</summary>
        internal static int Held { get; private set; }

        private UnityWebRequest(string url)
        {
            request = (HttpWebRequest)WebRequest.Create(url);
            request.KeepAlive = false;
            downloadHandler = new DownloadHandler();
            Held++;
        }

        public static UnityWebRequest Get(string url)
        {
            return new UnityWebRequest(url);
        }

        public DownloadHandler downloadHandler { get; }

        public int redirectLimit
        {
            set { request.AllowAutoRedirect = value > 0; }
        }

        public long responseCode
        {
            get { return Checked(response) == null ? 0 : (long)response.StatusCode; }
        }

        public ulong downloadedBytes
        {
            get { return Checked((ulong)Interlocked.Read(ref received)); }
        }

        public string error
        {
            get { return Checked(failure); }
        }

#if UNITY_2020_2_OR_NEWER
        public enum Result
        {
            InProgress,
            Success,
            ConnectionError,
            ProtocolError,
            DataProcessingError
        }

        public Result result
        {
            get
            {
                if (!operation.isDone) return Result.InProgress;
                if (Checked(failure) != null) return Result.ConnectionError;
                return responseCode >= 400 ? Result.ProtocolError : Result.Success;
            }
        }
#else
        public bool isNetworkError
        {
            get { return Checked(failure) != null; }
        }
#endif

        public void SetRequestHeader(string name, string value)
        {
            if (name == "Accept") request.Accept = value;
            else request.Headers.Set(name, value);
        }

        public string GetResponseHeader(string name)
        {
            return Checked(response) == null ? null : response.Headers[name];
        }

        public UnityWebRequestAsyncOperation SendWebRequest()
        {
            Checked(0);
            // As Unity 2022 by its default settings.
            if (request.RequestUri.Scheme == "http" && !request.RequestUri.IsLoopback)
                throw new InvalidOperationException("Insecure connection not allowed");
            operation.webRequest = this;
            new Thread(Exchange) { IsBackground = true }.Start();
            return operation;
        }

        public void Abort()
        {
            aborted = true;
            request.Abort();
        }

        public void Dispose()
        {
            if (!disposed) Held--;
            disposed = true;
        }

        /// <summary>Unity's own objects die with Dispose, and live on the main thread alone.</summary>
        private T Checked<T>(T value)
        {
            if (disposed) throw new NullReferenceException("the UnityWebRequest was disposed of");
            if (Thread.CurrentThread.ManagedThreadId != mainThread)
                throw new InvalidOperationException("a UnityWebRequest can only be used on the main thread");
            return value;
        }

        private void Exchange()
        {
            try
            {
                response = Respond();
                using (var stream = response.GetResponseStream())
                using (var body = new MemoryStream())
                {
                    var piece = new byte[4096];
                    int count;
                    while (!aborted && (count = stream.Read(piece, 0, piece.Length)) > 0)
                    {
                        body.Write(piece, 0, count);
                        Interlocked.Add(ref received, count);
                    }
                    downloadHandler.data = body.Length == 0 ? null : body.ToArray();
                }
            }
            catch (Exception problem)
            {
                failure = problem.Message;
            }
            operation.done = true;
        }

        private HttpWebResponse Respond()
        {
            try
            {
                return (HttpWebResponse)request.GetResponse();
            }
            catch (WebException problem) when (problem.Response != null)
            {
                return (HttpWebResponse)problem.Response;
            }
        }
    }
}
