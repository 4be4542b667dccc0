using System.Runtime.InteropServices;

namespace Uniscale.Kernels.Tests.Cpu;

/// <summary>A number of threads for kernels called from this thread, until it is disposed.</summary>
internal sealed partial class OpenMpThreads : IDisposable
{
    private readonly int _before = omp_get_max_threads();

    public OpenMpThreads(int count) => omp_set_num_threads(count);

    public void Dispose() => omp_set_num_threads(_before);

#pragma warning disable IDE1006 // the names are those of the C interface
    [LibraryImport("libgomp.so.1")]
    private static partial void omp_set_num_threads(int count);

    [LibraryImport("libgomp.so.1")]
    private static partial int omp_get_max_threads();
#pragma warning restore IDE1006
}
