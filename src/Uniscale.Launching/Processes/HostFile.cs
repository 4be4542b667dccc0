using System.Globalization;
using System.Text.RegularExpressions;

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
        if (Slots is not { } slots || isOpenMpi != Text.StartsWith(Host + ":", StringComparison.Ordinal)) return Text;
        return FormattableString.Invariant(isOpenMpi ? $"{Host} slots={slots}" : (FormattableString)$"{Host}:{slots}");
    }
}

/// <summary>The hosts of a job as mpirun reads them: <c>host slots=8</c> (Open MPI) or <c>host:8</c> (MPICH).</summary>
/// <param name="Lines">One a host, or several.</param>
public sealed partial record HostFile(IReadOnlyList<HostLine> Lines)
{
    /// <summary>Names of the hosts.</summary>
    public IReadOnlyList<string> Names => [.. Lines.Select(line => line.Host).Distinct()];

    /// <summary>Reads a host file; comments and empty lines are left out.</summary>
    public static HostFile Read(string path) =>
        new([.. File.ReadLines(path).Select(line => line.Split('#')[0].Trim()).Where(line => line.Length > 0).Select(Parse)]);

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
        || (one.Contains('.') != other.Contains('.') && string.Equals(one.Split('.')[0], other.Split('.')[0], StringComparison.OrdinalIgnoreCase));

    private static HostLine Parse(string line)
    {
        var match = Line().Match(line);
        return new HostLine(line, match.Groups["host"].Value, match.Groups["slots"].Success ? int.Parse(match.Groups["slots"].Value, CultureInfo.InvariantCulture) : null);
    }

    [GeneratedRegex(@"^(?<host>[^\s:]+)(?::(?<slots>\d+)|.*?\bslots\s*=\s*(?<slots>\d+))?")]
    private static partial Regex Line();
}
