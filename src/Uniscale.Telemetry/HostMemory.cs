using System.Globalization;

namespace Uniscale.Telemetry;

/// <summary>Memory of this machine and of this process, as Linux tells it.</summary>
public static class HostMemory
{
    private const string ControlGroups = "/sys/fs/cgroup";

    /// <summary>Bytes that are not a limit: version 1 of control groups writes a number near 2⁶³ where there is none.</summary>
    private const long NoLimit = 1L << 62;

    /// <summary>Highest resident memory of this process so far, in bytes.</summary>
    public static long PeakResidentBytes() => Kibibytes("/proc/self/status", "VmHWM:") ?? Environment.WorkingSet;

    /// <summary>
    /// What the processes of this machine may use together, in bytes: its memory, or the tightest limit of the control groups that this
    /// process is in (docs.kernel.org,
    /// cgroup-v2, memory.max), whichever is less.
    /// </summary>
    public static HostLimit Limit()
    {
        var machine = new HostLimit(
            Kibibytes("/proc/meminfo", "MemTotal:") ?? GC.GetGCMemoryInfo().TotalAvailableMemoryBytes,
            "the machine's memory"
        );
        return LimitOf("/proc/self/cgroup", ControlGroups) is { } group && group < machine.Bytes
            ? new HostLimit(group, "the limit of its control group")
            : machine;
    }

    /// <summary>The tightest limit on the way from a process's group up to the root; null: there is none.</summary>
    /// <param name="membership">File with lines <c>hierarchy:controllers:path</c>.</param>
    /// <param name="root">Where the groups' file system lies.</param>
    internal static long? LimitOf(string membership, string root)
    {
        if (!File.Exists(membership))
            return null;
        long? tightest = null;
        foreach (string line in File.ReadLines(membership))
        {
            string[] parts = line.Split(':', 3);
            if (parts.Length < 3 || (parts[1].Length > 0 && !parts[1].Split(',').Contains("memory")))
                continue;
            bool isUnified = parts[1].Length == 0;
            string top = isUnified ? root : Path.Combine(root, "memory");
            // Inside a container the path is often that of the host, and the limit lies at the root.
            for (
                string? folder = Path.Combine(top, parts[2].TrimStart('/'));
                folder is not null && folder.Length >= top.Length;
                folder = Path.GetDirectoryName(folder)
            )
                if (
                    Bytes(Path.Combine(folder, isUnified ? "memory.max" : "memory.limit_in_bytes")) is { } limit
                    && (tightest is null || limit < tightest)
                )
                    tightest = limit;
        }
        return tightest;
    }

    private static long? Bytes(string file) =>
        File.Exists(file)
        && long.TryParse(File.ReadAllText(file), NumberStyles.AllowTrailingWhite, CultureInfo.InvariantCulture, out long bytes)
        && bytes < NoLimit
            ? bytes
            : null;

    private static long? Kibibytes(string path, string key)
    {
        if (!File.Exists(path))
            return null;
        string? line = File.ReadLines(path).FirstOrDefault(line => line.StartsWith(key, StringComparison.Ordinal));
        return line is null
            ? null
            : long.Parse(line.AsSpan(key.Length).Trim().ToString().Split(' ')[0], CultureInfo.InvariantCulture) * 1024;
    }
}

/// <summary>A limit of memory.</summary>
/// <param name="Bytes">How much.</param>
/// <param name="Source">What sets it, for messages.</param>
public readonly record struct HostLimit(long Bytes, string Source);
