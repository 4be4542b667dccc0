using System.Globalization;
using System.Text.RegularExpressions;
using Uniscale.Configuration;
using Uniscale.Telemetry;

namespace Uniscale.Launching.Processes;

/// <summary>One line of a host file.</summary>
/// <param name="Text">As it stands.</param>
/// <param name="Host">Its host.</param>
/// <param name="Slots">Ranks that it takes; null: not said.</param>
public sealed record HostLine(string Text, string Host, int? Slots)
{
    /// <summary>The line as an mpirun reads it: one that says its slots in the other's way is written anew.</summary>
    /// <param name="isOpenMpi">Whether the mpirun is Open MPI's.</param>
    public string In(bool isOpenMpi)
    {
        if (Slots is not { } slots || isOpenMpi != Text.StartsWith(Host + ":", StringComparison.Ordinal))
            return Text;
        return FormattableString.Invariant(isOpenMpi ? $"{Host} slots={slots}" : (FormattableString)$"{Host}:{slots}");
    }
}

/// <summary>The hosts of a job as mpirun reads them: <c>host slots=8</c> (Open MPI) or <c>host:8</c> (MPICH).</summary>
/// <param name="Lines">One a host, or several.</param>
public sealed partial record HostFile(IReadOnlyList<HostLine> Lines)
{
    private const int LongestLine = 4096,
        MostHosts = 1 << 17;

    /// <summary>Names of the hosts.</summary>
    public IReadOnlyList<string> Names => [.. Lines.Select(line => line.Host).Distinct()];

    /// <summary>Reads a host file; comments and empty lines are left out.</summary>
    /// <exception cref="UserErrorException">It cannot be read, is no host file, or is longer than any.</exception>
    public static HostFile Read(string path)
    {
        try
        {
            var lines = new List<HostLine>();
            int number = 0;
            foreach (string line in BoundedLines.Read(path, LongestLine))
            {
                number++;
                if (line.Split('#')[0].Trim() is { Length: > 0 } text)
                    lines.Add(Parse(text, $"{path}:{number}"));
                if (lines.Count > MostHosts)
                    throw new UserErrorException($"{path} has more than {MostHosts} lines: is it a host file?");
            }
            // An mpirun takes no host for this one, and the job would run where nobody meant it to.
            return lines.Count > 0
                ? new HostFile(lines)
                : throw new UserErrorException($"The host file {path} names no host: write one a line, such as node1 slots=8.");
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException or InvalidDataException)
        {
            throw new UserErrorException($"The host file {path} cannot be read ({error.Message.TrimEnd('.')}).", error);
        }
    }

    /// <summary>The other hosts.</summary>
    public HostFile Without(string host) => new([.. Lines.Where(line => !IsSame(line.Host, host))]);

    /// <summary>Whether a host is among these.</summary>
    public bool Contains(string host) => Lines.Any(line => IsSame(line.Host, host));

    /// <summary>Ranks that these hosts take; a line that does not say is counted for an even share.</summary>
    /// <param name="share">Ranks of a line that does not say.</param>
    public int SlotsOf(int share) => Lines.Sum(line => line.Slots ?? share);

    /// <summary>Writes the file.</summary>
    public void Write(string path) => File.WriteAllLines(path, Lines.Select(line => line.Text));

    /// <summary>Writes the file as an mpirun reads it.</summary>
    public void WriteFor(bool isOpenMpi, string path) => File.WriteAllLines(path, Lines.Select(line => line.In(isOpenMpi)));

    /// <summary>A rank knows its host by the short name, a host file may have the long one.</summary>
    public static bool IsSame(string one, string other) =>
        string.Equals(one, other, StringComparison.OrdinalIgnoreCase)
        || (
            one.Contains('.') != other.Contains('.')
            && string.Equals(one.Split('.')[0], other.Split('.')[0], StringComparison.OrdinalIgnoreCase)
        );

    private static HostLine Parse(string line, string place)
    {
        var match = Line().Match(line);
        if (!match.Success || !Name().IsMatch(match.Groups["host"].Value))
            throw new UserErrorException(
                $"{place}: '{(line.Length > 60 ? line[..60] + "…" : line)}' is no line of a host file: write the name of a host and, if you like, slots=8."
            );
        if (!match.Groups["slots"].Success && !SaysSlots().IsMatch(line))
            return new HostLine(line, match.Groups["host"].Value, null);
        return
            int.TryParse(match.Groups["slots"].Value, NumberStyles.None, CultureInfo.InvariantCulture, out int slots)
            && slots is > 0 and <= Limits.Ranks
            ? new HostLine(line, match.Groups["host"].Value, slots)
            : throw new UserErrorException($"{place}: slots of {match.Groups["host"].Value} must be a number from 1 to {Limits.Ranks}.");
    }

    [GeneratedRegex(@"^[A-Za-z0-9_\[\]][A-Za-z0-9_.\-\[\],%:]*$")]
    private static partial Regex Name();

    [GeneratedRegex(@"^[^\s:]+(?::|.*\bslots\b)")]
    private static partial Regex SaysSlots();

    [GeneratedRegex(@"^(?<host>[^\s:]+)(?::(?<slots>\d+)|.*?\bslots\s*=\s*(?<slots>\d+))?")]
    private static partial Regex Line();
}
