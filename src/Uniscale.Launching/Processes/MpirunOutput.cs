using System.Text.RegularExpressions;

namespace Uniscale.Launching.Processes;

/// <summary>
/// What mpirun and its remote shell write beside the ranks. mpirun's last words, several framed paragraphs that are others in every
/// version, only
/// repeat what the launcher says in one sentence, and are kept from the user. A host that the remote shell cannot reach is known by its
/// words alone.
/// </summary>
public sealed partial class MpirunOutput
{
    private const int FrameLength = 50;

    private readonly List<string> _framed = [];
    private bool _isAfterword;

    /// <summary>The first host that cannot be reached.</summary>
    public RankFailure? Unreachable { get; private set; }

    /// <summary>Takes a line of mpirun's errors and returns the lines to show.</summary>
    public IReadOnlyList<string> Take(string line)
    {
        if (SrunWords().IsMatch(line))
            return [];
        if (Unreachable is null && LostNode().Match(line) is { Success: true } lost)
        {
            string node = lost.Groups["host"].Value;
            Unreachable = new(
                -1,
                node,
                DateTimeOffset.UtcNow,
                "lost host",
                $"host {node} is lost ({line.Trim().TrimEnd('.')})",
                IsUserError: false
            );
        }
        if (Unreachable is null && UnreachableHost().Match(line) is { Success: true } match)
        {
            string host = match.Groups["host"].Value;
            Unreachable = new(
                -1,
                host,
                DateTimeOffset.UtcNow,
                "unreachable host",
                $"host {host} cannot be reached ({line.Trim().TrimEnd('.')})",
                IsUserError: false
            );
        }
        // MPICH's last words go on behind their frame.
        if (_isAfterword && Afterword().IsMatch(line))
            return [];
        _isAfterword = false;
        bool isFrame = line.Length >= FrameLength && line.All(letter => letter == line[0]) && line[0] is '-' or '=';
        if (_framed.Count == 0 && !isFrame)
            return [line];
        _framed.Add(line);
        return isFrame && _framed.Count > 1 ? Rest() : [];
    }

    /// <summary>What is still held back when the output ends.</summary>
    public IReadOnlyList<string> Rest()
    {
        string[] lines = [.. _framed];
        _framed.Clear();
        _isAfterword = lines.Any(line => LastWords().IsMatch(line));
        return _isAfterword ? [] : lines;
    }

    [GeneratedRegex(@"^ssh: (?:connect to host|Could not resolve hostname) (?<host>[^\s:]+)")]
    private static partial Regex UnreachableHost();

    [GeneratedRegex(
        @"^Primary job +terminated|^\S*(mpirun|mpiexec|prterun)\S* (detected that one or more processes|has exited due to process|noticed that process rank)"
            + "|BAD TERMINATION OF ONE OF YOUR APPLICATION PROCESSES"
    )]
    private static partial Regex LastWords();

    /// <summary>
    /// What srun and its daemons say when a task ends badly, or when a step waits for the one before it to be cleared away.
    /// </summary>
    [GeneratedRegex(
        @"^srun: (?:error: \S+: tasks? \S+: |error: Timed out waiting for job step|launch/slurm: |Force Terminat|Terminating |Job \d+ step creation |Step created for|Job step aborted|got SIG|forcing job termination)"
            + @"|^slurmstepd\S*: error: \*\*\* STEP"
    )]
    private static partial Regex SrunWords();

    [GeneratedRegex(@"^srun: error: (?:Node failure on (?<host>[^\s,\[]+)|Task launch for \S+ failed on node (?<host>[^\s:]+))")]
    private static partial Regex LostNode();

    [GeneratedRegex("^YOUR APPLICATION TERMINATED WITH|^This typically refers to a problem|^Please see the FAQ page|^$")]
    private static partial Regex Afterword();
}
