using System.Runtime.InteropServices;

namespace Uniscale.Launching.Ranks;

/// <summary>
/// The end of a process whose other threads are in the middle of native work. The ordinary exit takes native libraries down under them,
/// which ends in a
/// segmentation fault; here the kernel takes everything at once.
/// </summary>
public static partial class QuickExit
{
    /// <summary>Ends this process; what the streams of the console hold is written before.</summary>
    public static void Now(int code)
    {
        Console.Out.Flush();
        Console.Error.Flush();
        End(code);
    }

    [LibraryImport("libc", EntryPoint = "_exit")]
    private static partial void End(int code);
}
