using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Uniscale.Native;

/// <summary>
/// What must be settled before the first library that uses OpenMP is loaded; compiled into each assembly that binds one. Its threads spin
/// for
/// microseconds only: GNU OpenMP's milliseconds are right for a program that has the machine to itself; beside other ranks, builds or a
/// checkpoint's writer they take the processor from those that would end the wait (docs/explanation/performance.md#openmp-spin-time). And
/// there is one runtime in the
/// process: libtorch's packages bring one under a name of their own, which serves all others if it is there first, and is a second one if
/// it is not.
/// </summary>
internal static partial class OpenMpRuntime
{
    private const string SpinVariable = "GOMP_SPINCOUNT",
        PolicyVariable = "OMP_WAIT_POLICY";

    /// <summary>Folder of a libtorch in place of the one beside the program.</summary>
    private const string LibtorchVariable = "UNISCALE_LIBTORCH";

    /// <summary>Rounds of spinning: some microseconds, as long as waking a thread takes.</summary>
    private const string Rounds = "1000";

#pragma warning disable CA2255 // An initializer of the module is the only place that surely comes before the first native call.
    [ModuleInitializer]
#pragma warning restore CA2255
    internal static void Settle()
    {
        if (!OperatingSystem.IsLinux())
            return;
        if (Environment.GetEnvironmentVariable(PolicyVariable) is not { Length: > 0 })
            _ = setenv(SpinVariable, Rounds, overwrite: 0);
        string folder = Environment.GetEnvironmentVariable(LibtorchVariable) is { Length: > 0 } named ? named : AppContext.BaseDirectory;
        if (!Directory.Exists(folder))
            return;
        foreach (string bundled in Directory.EnumerateFiles(folder, "libgomp*.so*"))
            NativeLibrary.TryLoad(bundled, out _);
    }

    // The environment that .NET shows is a copy; native libraries read the original.
    [LibraryImport("libc", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int setenv(string name, string value, int overwrite);
}
