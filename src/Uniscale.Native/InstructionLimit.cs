using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Uniscale.Native;

/// <summary>
/// UNISCALE_ISA makes a processor stand in for a lesser one, so that the code of every processor is tested on the newest. Our kernels read
/// it
/// themselves; the libraries below choose their instructions by variables of their own, which are set here.
/// Compiled into each assembly that binds a native library that multiplies, because it must be said before the first of them is loaded.
/// </summary>
internal static partial class InstructionLimit
{
    private const string Variable = "UNISCALE_ISA";

    /// <summary>
    /// For each level but the highest: what oneDNN, libtorch's own operators, MKL and OpenBLAS call it; null: they have no more anyway.
    /// </summary>
    private static readonly (string Level, string OneDnn, string Aten, string Mkl, string? OpenBlas)[] Levels =
    [
        ("avx2", "AVX2", "avx2", "AVX2", "Haswell"),
        ("avx512", "AVX512_CORE", "avx512", "AVX512", null),
        ("avx512_bf16", "AVX512_CORE_BF16", "avx512", "AVX512", null),
    ];

#pragma warning disable CA2255 // An initializer of the module is the only place that surely comes before the first native call.
    [ModuleInitializer]
#pragma warning restore CA2255
    internal static void LimitLibraries()
    {
        if (!OperatingSystem.IsLinux() || Environment.GetEnvironmentVariable(Variable) is not { Length: > 0 } wanted)
            return;
        foreach (var (level, oneDnn, aten, mkl, openBlas) in Levels)
        {
            if (level != wanted)
                continue;
            Set("DNNL_MAX_CPU_ISA", oneDnn);
            Set("ONEDNN_MAX_CPU_ISA", oneDnn);
            Set("ATEN_CPU_CAPABILITY", aten);
            Set("MKL_ENABLE_INSTRUCTIONS", mkl);
            if (openBlas is not null)
                Set("OPENBLAS_CORETYPE", openBlas);
        }
    }

    private static void Set(string name, string value) => _ = setenv(name, value, overwrite: 1);

    // The environment that .NET shows is a copy; native libraries read the original.
    [LibraryImport("libc", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int setenv(string name, string value, int overwrite);
}
