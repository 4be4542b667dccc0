using System.Globalization;
using System.Text.RegularExpressions;

namespace Uniscale.Launching.Processes;

/// <summary>
/// Reads out of mpirun's own words which rank ended and how: all that is left of a rank that was killed. Those words, several framed
/// paragraphs, are kept from the user where they only repeat what the launcher says in one sentence.
/// </summary>
public sealed partial class MpirunOutput
{
    private const string Frame = "--------------------------------------------------";

    private readonly List<string> _framed = [];
    private string? _lastProcessName;

    /// <summary>The first rank of which mpirun says that it ended badly.</summary>
    public RankFailure? First { get; private set; }

    /// <summary>Takes a line of mpirun's errors and returns the lines to show.</summary>
    public IReadOnlyList<string> Take(string line)
    {
        Look(line);
        bool isFrame = line.StartsWith(Frame, StringComparison.Ordinal);
        if (_framed.Count == 0 && !isFrame) return [line];
        _framed.Add(line);
        return isFrame && _framed.Count > 1 ? Rest() : [];
    }

    /// <summary>What is still held back when the output ends.</summary>
    public IReadOnlyList<string> Rest()
    {
        string[] lines = [.. _framed];
        _framed.Clear();
        return lines.Any(line => Epilogue().IsMatch(line)) ? [] : lines;
    }

    private void Look(string line)
    {
        if (First is not null) return;
        if (SignalLine().Match(line) is { Success: true } signal)
            First = Failure(signal.Groups["rank"].Value, signal.Groups["host"].Value, $"signal {signal.Groups["signal"].Value}",
                $"it was ended by signal {signal.Groups["signal"].Value}{(signal.Groups["name"].Value is { Length: > 0 } name ? $" ({name})" : "")}");
        else if (Unreachable().Match(line) is { Success: true } host)
            First = Failure("-1", host.Groups["host"].Value, "unreachable host", $"host {host.Groups["host"].Value} cannot be reached ({line.Trim().TrimEnd('.')})");
        else if (ProcessName().Match(line) is { Success: true } process) _lastProcessName = process.Groups["rank"].Value;
        else if (_lastProcessName is not null && ExitCode().Match(line) is { Success: true } exit)
            First = Failure(_lastProcessName, "", $"exit {exit.Groups["code"].Value}", $"it exited with code {exit.Groups["code"].Value}");
    }

    private static RankFailure Failure(string rank, string host, string kind, string message) =>
        new(int.Parse(rank, CultureInfo.InvariantCulture), host, DateTimeOffset.UtcNow, kind, message, IsUserError: false);

    [GeneratedRegex(@"process rank (?<rank>\d+) with PID \d+ on node (?<host>\S+) exited on signal (?<signal>\d+)(?: \((?<name>[^)]*)\))?")]
    private static partial Regex SignalLine();

    [GeneratedRegex(@"^ssh: (?:connect to host|Could not resolve hostname) (?<host>[^\s:]+)")]
    private static partial Regex Unreachable();

    [GeneratedRegex(@"Process name: \[\[\d+,\d+\],(?<rank>\d+)\]")]
    private static partial Regex ProcessName();

    [GeneratedRegex(@"Exit code:\s+(?<code>\d+)")]
    private static partial Regex ExitCode();

    [GeneratedRegex("^Primary job +terminated|^m(pirun|piexec) (detected that one or more processes|has exited due to process|noticed that process rank)")]
    private static partial Regex Epilogue();
}
