using System.Globalization;

namespace Uniscale.Cli.Doctor;

/// <summary>The limit of this process's address space, as <c>ulimit -v</c> sets it.</summary>
internal static class AddressSpace
{
    /// <summary>More than a small model needs: libraries alone reserve several gigabytes that they never touch.</summary>
    public const long EnoughBytes = 16L << 30;

    /// <summary>Bytes; null: there is no limit, or it is not known.</summary>
    public static long? LimitBytes()
    {
        const string Path = "/proc/self/limits",
            Name = "Max address space";
        if (!File.Exists(Path))
            return null;
        string? line = File.ReadLines(Path).FirstOrDefault(line => line.StartsWith(Name, StringComparison.Ordinal));
        string? soft = line?[Name.Length..].Split(' ', StringSplitOptions.RemoveEmptyEntries).FirstOrDefault();
        return long.TryParse(soft, NumberStyles.None, CultureInfo.InvariantCulture, out long bytes) ? bytes : null;
    }

    /// <summary>The sentence for a failure that such a limit has caused; null: it has not, or there is none.</summary>
    public static string? Explain(Exception failure)
    {
        if (LimitBytes() is not < EnoughBytes)
            return null;
        for (var cause = failure; cause is not null; cause = cause.InnerException)
            if (cause is DllNotFoundException or OutOfMemoryException)
                return string.Create(
                    CultureInfo.InvariantCulture,
                    $"The address space of this process is limited to {LimitBytes() / (double)(1L << 30):0.0} GiB (ulimit -v), too little for this command: lift the limit, or bound memory by a container instead."
                );
        return null;
    }
}
