using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Uniscale.Native;

/// <summary>
/// How long threads of OpenMP spin before they sleep. GNU OpenMP spins for milliseconds, which is right for a program that has the machine
/// to itself; beside other ranks, builds or a checkpoint's writer it takes the processor from those that would end the wait (docs/decisions/0073).
/// Compiled into each assembly that binds a library which uses OpenMP, because it must be said before the first of them is loaded.
/// </summary>
internal static partial class OpenMpWaiting
{
    private const string SpinVariable = "GOMP_SPINCOUNT", PolicyVariable = "OMP_WAIT_POLICY";

    /// <summary>Rounds of spinning: some microseconds, as long as waking a thread takes.</summary>
    private const string Rounds = "1000";

#pragma warning disable CA2255 // An initializer of the module is the only place that surely comes before the first native call.
    [ModuleInitializer]
#pragma warning restore CA2255
    internal static void SpinShortly()
    {
        if (!OperatingSystem.IsLinux() || Environment.GetEnvironmentVariable(PolicyVariable) is { Length: > 0 }) return;
        _ = setenv(SpinVariable, Rounds, overwrite: 0);
    }

    // The environment that .NET shows is a copy; native libraries read the original.
    [LibraryImport("libc", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int setenv(string name, string value, int overwrite);
}
