using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;

namespace Uniscale.Launching.Ownership;

/// <summary>
/// A process so that it can be told from all others: numbers of processes are used again, machines share names, and a container sees only
/// its own.
/// </summary>
/// <param name="Host">Name of its host, for people.</param>
/// <param name="ProcessId">Its number.</param>
/// <param name="Began">When it began, in the kernel's ticks since the machine started; 0: unknown.</param>
/// <param name="Place">Which start of which kernel, and which space of process numbers; empty: unknown.</param>
public sealed record ProcessIdentity(string Host, int ProcessId, long Began, string Place)
{
    private const int StateField = 2,
        BeganField = 21;

    /// <summary>This process.</summary>
    public static ProcessIdentity Own { get; } =
        new(Environment.MachineName, Environment.ProcessId, Stat(Environment.ProcessId)?.Began ?? 0, OwnPlace());

    /// <summary>Whether the process lives; null where that cannot be seen from here.</summary>
    public bool? IsAlive()
    {
        if (Place.Length == 0 || Place != Own.Place || Began == 0)
            return null;
        return Stat(ProcessId) is { } now && now.Began == Began && now.IsRunning;
    }

    /// <summary>Whether a process of this host can be seen to run, and had begun by a time.</summary>
    public static bool IsRunning(int process, DateTimeOffset begunBy)
    {
        if (Stat(process) is not { IsRunning: true })
            return false;
        try
        {
            using var found = Process.GetProcessById(process);
            // A process that began later has only inherited the number; a second is what the clocks may differ by.
            return found.StartTime.ToUniversalTime() <= begunBy.UtcDateTime.AddSeconds(1);
        }
        catch (Exception gone) when (gone is ArgumentException or InvalidOperationException or Win32Exception)
        {
            return false;
        }
    }

    private static (bool IsRunning, long Began)? Stat(int process)
    {
        try
        {
            // The name in parentheses may hold anything.
            string text = File.ReadAllText(string.Create(CultureInfo.InvariantCulture, $"/proc/{process}/stat"));
            string[] fields = [.. Enumerable.Repeat("", StateField), .. text[(text.LastIndexOf(')') + 2)..].Split(' ')];
            return (fields[StateField] is not ("Z" or "X" or "x"), long.Parse(fields[BeganField], CultureInfo.InvariantCulture));
        }
        catch (Exception gone)
            when (gone
                    is IOException
                        or UnauthorizedAccessException
                        or FormatException
                        or IndexOutOfRangeException
                        or ArgumentOutOfRangeException
            )
        {
            return null;
        }
    }

    private static string OwnPlace()
    {
        try
        {
            string start = File.ReadAllText("/proc/sys/kernel/random/boot_id").Trim();
            return $"{start} {new FileInfo("/proc/self/ns/pid").LinkTarget}";
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return "";
        }
    }
}
