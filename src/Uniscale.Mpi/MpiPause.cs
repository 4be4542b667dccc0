using System.Runtime.InteropServices;

namespace Uniscale.Mpi;

/// <summary>A pause shorter than the runtime's millisecond, for threads that poll MPI.</summary>
public static partial class MpiPause
{
    private const uint Microseconds = 50;

    /// <summary>Sleeps for some tens of microseconds.</summary>
    /// <returns>False if a signal cut it short.</returns>
    public static bool Sleep() => SleepMicroseconds(Microseconds) == 0;

    [LibraryImport("libc.so.6", EntryPoint = "usleep")]
    private static partial int SleepMicroseconds(uint microseconds);
}
