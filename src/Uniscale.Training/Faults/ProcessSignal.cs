using System.ComponentModel;
using System.Runtime.InteropServices;

namespace Uniscale.Training.Faults;

/// <summary>Signals to processes, as the system and its operators send them.</summary>
public static partial class ProcessSignal
{
    /// <summary>Numbers of signals on Linux.</summary>
    public const int Kill = 9,
        Terminate = 15,
        Stop = 19;

    /// <summary>Sends a signal to this process.</summary>
    public static void ToSelf(int signal) => Send(Environment.ProcessId, signal);

    /// <summary>Sends a signal to another process of this user.</summary>
    public static void ToProcess(int process, int signal) => Send(process, signal);

    /// <summary>Reads where there is no memory, in native code: the runtime shrugs off a SIGSEGV that somebody else sends.</summary>
    public static void Crash() => _ = LengthOf(1);

    private static void Send(int process, int signal)
    {
        if (SendSignal(process, signal) != 0)
            throw new Win32Exception(Marshal.GetLastPInvokeError(), $"signal {signal} cannot be sent to process {process}");
    }

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static partial int SendSignal(int process, int signal);

    [LibraryImport("libc", EntryPoint = "strlen")]
    private static partial nint LengthOf(nint text);
}
