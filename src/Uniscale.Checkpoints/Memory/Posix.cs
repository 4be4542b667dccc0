using System.ComponentModel;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Uniscale.Checkpoints.Memory;

/// <summary>The calls of libc that durable files need and .NET does not offer.</summary>
internal static partial class Posix
{
    private const int ReadOnly = 0;
    private const int ReadWriteCreate = 0x2 | 0x40;
    private const int CloseOnExec = 0x80000;
    private const int AdviseHuge = 14;

    private static long _directorySyncs;

    /// <summary>Directories that this process has synced.</summary>
    public static long DirectorySyncs => Volatile.Read(ref _directorySyncs);

    /// <summary>Makes the names in a directory durable: a new or renamed file is lost in a power cut without it.</summary>
    public static void SyncDirectory(string path)
    {
        int descriptor = Open(path, ReadOnly | CloseOnExec, 0);
        if (descriptor < 0)
            throw Failure($"cannot open directory {path}");
        using var handle = new SafeFileHandle(descriptor, ownsHandle: true);
        Interlocked.Increment(ref _directorySyncs);
        if (Sync(descriptor) != 0)
            throw Failure($"cannot sync directory {path}");
    }

    /// <summary>Opens a file past the page cache, or returns null where the file system or the system does not do that.</summary>
    public static SafeFileHandle? OpenDirect(string path, bool write)
    {
        if (!OperatingSystem.IsLinux())
            return null;
        int direct = RuntimeInformation.ProcessArchitecture is Architecture.Arm64 or Architecture.Arm ? 0x10000 : 0x4000;
        int descriptor = Open(path, direct | CloseOnExec | (write ? ReadWriteCreate : ReadOnly), 0x1A4);
        return descriptor < 0 ? null : new SafeFileHandle(descriptor, ownsHandle: true);
    }

    /// <summary>Asks for huge pages; a refusal costs speed only and is ignored.</summary>
    public static void AdviseHugePages(nint address, long sizeBytes)
    {
        if (OperatingSystem.IsLinux())
            _ = Advise(address, (nuint)sizeBytes, AdviseHuge);
    }

    private static IOException Failure(string what) => new($"{what}: {new Win32Exception(Marshal.GetLastPInvokeError()).Message}");

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Open(string path, int flags, int mode);

    /// <summary>
    /// Lets other threads have the processor first, from now on and for the calling thread alone. Does nothing where the system has no such
    /// thing.
    /// </summary>
    public static void YieldProcessor()
    {
        const int Thread = 0,
            Self = 0,
            Niceness = 19;
        if (OperatingSystem.IsLinux())
            _ = SetPriority(Thread, Self, Niceness);
    }

    [LibraryImport("libc", EntryPoint = "setpriority")]
    private static partial int SetPriority(int which, int who, int niceness);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    private static partial int Sync(int descriptor);

    [LibraryImport("libc", EntryPoint = "madvise", SetLastError = true)]
    private static partial int Advise(nint address, nuint length, int advice);
}
