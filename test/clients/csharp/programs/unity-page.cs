using System;
using System.Reflection;
using System.Threading;
using UnityEngine;

namespace RecgateTests
{
    /// <summary>
    /// What Unity does with the components of docs/unity.md:
    ///
    ///     unity-page.exe play COMPONENT URL TOKEN   fills in its fields, and plays until its coroutines are over
    ///     unity-page.exe again COMPONENT URL TOKEN  deactivates it while it fetches, activates it, and plays on
    ///     unity-page.exe destroy COMPONENT URL      wakes it, and destroys it, whether or not it woke
    ///     unity-page.exe token SIGN_IN_URL          asks a PlayerToken three times, at last for another token
    ///     unity-page.exe read HEX                   reads saved bytes
    /// </summary>
    public static class UnityPage
    {
        public static void Main(string[] args)
        {
            if (args[0] == "play" || args[0] == "again") Play(args);
            else if (args[0] == "destroy") Destroy(args[1], args[2]);
            else if (args[0] == "token") AskForTokens(args[1]);
            else Console.WriteLine(string.Join(", ", SavedRecommendation.Read(Unframed(args[1])).Games));
        }

        private static void Play(string[] args)
        {
            var component = (MonoBehaviour)Activator.CreateInstance(Type.GetType(args[1]));
            Fill(component, "url", args[2]);
            Fill(component, "token", args[3]);
            Send(component, "Awake");
            Send(component, "OnEnable");
            Send(component, "Start");
            if (args[0] == "again") Reactivate(component);
            Run(component);
            Deactivate(component);
            Send(component, "OnDestroy");
        }

        /// <summary>Start isn't sent again, as Unity doesn't.</summary>
        private static void Reactivate(MonoBehaviour component)
        {
            Deactivate(component);
            Console.WriteLine("inactive, which leaves " + (component.Frame() ? "a coroutine" : "no coroutine"));
            Send(component, "OnEnable");
        }

        private static void Deactivate(MonoBehaviour component)
        {
            Send(component, "OnDisable");
            component.StopAllCoroutines();
        }

        private static void Destroy(string name, string url)
        {
            var component = (MonoBehaviour)Activator.CreateInstance(Type.GetType(name));
            Fill(component, "url", url);
            try
            {
                Send(component, "Awake");
                Console.WriteLine("awake");
            }
            catch (TargetInvocationException problem)
            {
                Console.WriteLine(problem.InnerException.GetType().Name);
                Send(component, "OnEnable");
            }
            Deactivate(component);
            Send(component, "OnDestroy");
        }

        private static void AskForTokens(string signInUrl)
        {
            var component = new PlayerToken();
            Fill(component, "signInUrl", signInUrl);
            foreach (bool refresh in new[] { false, false, true })
            {
                component.Give(refresh, token => Console.WriteLine(token ?? "none"));
                Run(component);
            }
        }

        private static void Run(MonoBehaviour component)
        {
            while (component.Frame()) Thread.Sleep(1);
        }

        private static void Fill(object component, string field, string value)
        {
            component.GetType().GetField(field, BindingFlags.Instance | BindingFlags.NonPublic).SetValue(component, value);
        }

        private static void Send(object component, string message)
        {
            var method = component.GetType().GetMethod(message, BindingFlags.Instance | BindingFlags.NonPublic);
            if (method != null) method.Invoke(component, null);
        }

        private static byte[] Unframed(string hex)
        {
            var framed = FramedBytes.Of(hex);
            var bytes = new byte[framed.Length - 2 * FramedBytes.Frame];
            Array.Copy(framed, FramedBytes.Frame, bytes, 0, bytes.Length);
            return bytes;
        }
    }
}
