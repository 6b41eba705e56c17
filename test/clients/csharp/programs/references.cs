using System;
using System.Reflection;

namespace RecgateTests
{
    /// <summary>
    /// What a library's code refers to, as its metadata have it, a line each:
    ///
    ///     references.exe LIBRARY [FACADE]
    ///
    ///     type ASSEMBLY NAMESPACE NAME
    ///     member TYPE NAME
    ///     extern TYPE NAME      a method that is native code of another library
    ///     lacking NAME          a type that FACADE, an assembly which only says where types are, hasn't
    /// </summary>
    public static class References
    {
        private const int TypeReferences = 0x01000000;
        private const int MemberReferences = 0x0A000000;

        // Whatever a generic parameter stands for, it is another one's.
        private static readonly Type[] Anything = { typeof(int), typeof(int), typeof(int), typeof(int) };

        public static void Main(string[] args)
        {
            var library = Assembly.LoadFrom(args[0]).ManifestModule;
            var facade = args.Length == 1 ? null : FacadeOf(args[1], library);
            for (int row = 1; ; row++)
            {
                Type type;
                try
                {
                    type = library.ResolveType(TypeReferences + row);
                }
                catch (ArgumentOutOfRangeException)
                {
                    break;
                }
                Console.WriteLine("type {0} {1} {2}", type.Assembly.GetName().Name, type.Namespace, type.Name);
                if (facade != null && facade.GetType(type.FullName, false) == null)
                    Console.WriteLine("lacking " + type.FullName);
            }
            for (int row = 1; ; row++)
            {
                MemberInfo member;
                try
                {
                    member = library.ResolveMember(MemberReferences + row, Anything, Anything);
                }
                catch (ArgumentOutOfRangeException)
                {
                    break;
                }
                var type = member.DeclaringType;
                Console.WriteLine("member {0}.{1} {2}", type.Namespace, type.Name, member.Name);
            }
            foreach (var type in library.GetTypes()) TellExterns(type);
        }

        /// <summary>With the assemblies that it sends on to, which mono doesn't look for by itself.</summary>
        private static Assembly FacadeOf(string file, Module library)
        {
            foreach (var name in library.Assembly.GetReferencedAssemblies()) Assembly.ReflectionOnlyLoad(name.FullName);
            return Assembly.ReflectionOnlyLoadFrom(file);
        }

        private static void TellExterns(Type type)
        {
            const BindingFlags all = BindingFlags.DeclaredOnly | BindingFlags.Instance | BindingFlags.Static |
                BindingFlags.Public | BindingFlags.NonPublic;
            foreach (var method in type.GetMethods(all))
            {
                if ((method.Attributes & MethodAttributes.PinvokeImpl) != 0)
                    Console.WriteLine("extern {0} {1}", type.FullName, method.Name);
            }
        }
    }
}
