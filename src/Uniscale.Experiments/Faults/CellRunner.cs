using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.RegularExpressions;
using Uniscale.Configuration;
using Uniscale.Training.Faults;

namespace Uniscale.Experiments.Faults;

/// <summary>Runs single cells, each in a directory of its own, and judges them by what they left.</summary>
/// <param name="matrix">The matrix.</param>
/// <param name="directory">Its directory.</param>
/// <param name="program">This executable, with its first arguments.</param>
internal sealed class CellRunner(FaultMatrix matrix, string directory, IReadOnlyList<string> program)
{
    private static readonly JsonSerializerOptions Flow = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.KebabCaseLower) },
    };

    private readonly RunConfiguration _base = ConfigurationLoader.Load(matrix.Run).Value;
    private readonly Dictionary<string, string> _unbroken = [];
    private bool _isPrepared;

    /// <summary>Runs a cell.</summary>
    public CellResult Run(LayoutSection layout, CaseSection entry)
    {
        if (entry.Only.Count > 0 && !entry.Only.Contains(layout.Name))
            return new(entry.Name, layout.Name, CellOutcome.Impossible, 0, null, null, 0, entry.Because);
        string whole = Unbroken(layout, entry);
        string run = Fresh(Path.Combine(directory, "cells", $"{Slug(entry.Name)}-{Slug(layout.Name)}"));
        var watch = Stopwatch.StartNew();
        var (code, output) = Start(layout, entry, run, WithFaults(entry), resume: false);
        DateTimeOffset? failed = code is null or 0 ? null : DateTimeOffset.UtcNow;
        int? last = code;
        if (entry.Resume && code is not null)
        {
            (last, string more) = Start(layout, entry, run, WithFaults(entry), resume: true);
            output += more;
        }
        File.WriteAllText(Path.Combine(run, "output.log"), output);
        var fired = FiredIn(run);
        var times = fired.Count > 0 ? CellTimes.Of(fired[0].Run, fired[0].Fault, failed) : default;
        string problem = Problem(entry, whole, run, code, last, output, fired);
        var outcome =
            problem.Length > 0 ? CellOutcome.Failed
            : entry.Identical ? CellOutcome.Identical
            : CellOutcome.Promised;
        if (outcome != CellOutcome.Failed)
            Directory.Delete(run, recursive: true);
        return new(
            entry.Name,
            layout.Name,
            outcome,
            code ?? -1,
            times.Detect,
            last == 0 ? times.Back : null,
            watch.Elapsed.TotalSeconds,
            problem
        );
    }

    /// <summary>The directory of the unbroken run of a layout, trained when it is first asked for.</summary>
    public string Unbroken(LayoutSection layout, CaseSection entry)
    {
        string key = $"{layout.Name} {string.Join(' ', entry.Set.Select(pair => $"{pair.Key}={pair.Value}"))}";
        if (_unbroken.TryGetValue(key, out string? known))
            return known;
        string run = Fresh(
            Path.Combine(
                directory,
                "unbroken",
                string.Create(CultureInfo.InvariantCulture, $"{_unbroken.Count + 1:D2}-{Slug(layout.Name)}")
            )
        );
        // By threads: the cells are held to it whichever way their ranks run.
        var (code, output) = Start(layout, entry with { By = RankKind.Threads }, run, [], resume: false);
        if (code != 0)
            throw new UserErrorException($"The unbroken run of {layout.Name} fails, so nothing can be held to it: {LastLine(output)}");
        return _unbroken[key] = run;
    }

    /// <summary>Runs a layout to its end.</summary>
    public (int? Code, string Output) Start(LayoutSection layout, CaseSection entry, string run, IEnumerable<string> faults, bool resume)
    {
        Prepare();
        string ranks = layout.Ranks.ToString(CultureInfo.InvariantCulture);
        var laidOut = LaidOut(layout, entry);
        string[] how =
            laidOut.Rounds.Count > 0 ? ["align", matrix.Run, "--ranks", ranks]
            : entry.By == RankKind.Threads ? ["train", matrix.Run, "--ranks", ranks]
            :
                [
                    "launch",
                    matrix.Run,
                    "-n",
                    ranks,
                    "--max-restarts",
                    matrix.MaxRestarts.ToString(CultureInfo.InvariantCulture),
                    "--hang-seconds",
                    matrix.HangSeconds.ToString(CultureInfo.InvariantCulture),
                ];
        var values = layout
            .Set.Concat(entry.Set)
            .Select(pair => $"{pair.Key}={pair.Value}")
            .Append(ConfigurationLoader.Override("run_directory", run))
            .Concat(DataOf(run, laidOut))
            .Concat(faults);
        return CellProcess.Run(
            program,
            [.. how, .. values.SelectMany(value => (string[])["--set", value]), .. resume ? (string[])["--resume"] : []],
            TimeSpan.FromSeconds(matrix.CellSeconds),
            matrix.Prepare.Count > 0 ? Prepared : ""
        );
    }

    private string Prepared => Path.Combine(directory, "prepared");

    /// <summary>Makes what the run reads, before it runs for the first time.</summary>
    private void Prepare()
    {
        if (_isPrepared || matrix.Prepare.Count == 0)
            return;
        Fresh(Prepared);
        foreach (string[] arguments in matrix.PrepareArguments())
        {
            var (code, output) = CellProcess.Run(program, arguments, TimeSpan.FromSeconds(matrix.CellSeconds), Prepared);
            string why = LastLine(output).Replace("uniscale: ", "", StringComparison.Ordinal);
            if (code != 0)
                throw new UserErrorException(
                    $"What the run reads cannot be prepared: `uniscale {string.Join(' ', arguments)}` fails: {why}"
                );
        }
        _isPrepared = true;
    }

    private RunConfiguration LaidOut(LayoutSection layout, CaseSection entry) =>
        ConfigurationLoader.Load(matrix.Run, [.. layout.Set.Concat(entry.Set).Select(pair => $"{pair.Key}={pair.Value}")]).Value;

    /// <summary>The faults that have happened, with the run that they happened to: rounds have several.</summary>
    private static List<(string Run, FiredFault Fault)> FiredIn(string root) =>
        [
            .. Directory
                .EnumerateDirectories(root, FaultMemory.FolderName, SearchOption.AllDirectories)
                .Select(folder => Path.GetDirectoryName(folder)!)
                .SelectMany(run => FaultMemory.Read(run).Select(fault => (run, fault)))
                .OrderBy(each => each.fault.Time),
        ];

    private IEnumerable<string> DataOf(string run, RunConfiguration laidOut)
    {
        if (_base.Data.Sources.Count > 0)
            return [];
        // Each cell has a corpus of its own, since some damage it.
        string folder = run + ".data";
        string prefix = Path.Combine(folder, "corpus"),
            start = Path.Combine(directory, "start");
        if (!File.Exists(prefix + ".bin"))
            prefix = SmallCorpus.Write(folder, laidOut);
        string sources = $"data.sources=[{{\"name\":\"corpus\",\"shards\":[{JsonSerializer.Serialize(prefix)}]}}]";
        if (laidOut.Objective != ObjectiveKind.Dpo)
            return [sources];
        // What a run compares with is no cell's to damage.
        if (!Directory.Exists(start))
            SmallCorpus.WriteStart(start, laidOut);
        return [sources, ConfigurationLoader.Override("start_from", Path.Combine(start, "checkpoints"))];
    }

    private static string[] WithFaults(CaseSection entry) =>
        ["faults.enabled=true", $"faults.inject={JsonSerializer.Serialize(entry.Inject, Flow)}"];

    /// <summary>What is not as promised; empty: nothing.</summary>
    private string Problem(
        CaseSection entry,
        string whole,
        string run,
        int? code,
        int? last,
        string output,
        IReadOnlyList<(string Run, FiredFault Fault)> fired
    )
    {
        if (code is null || last is null)
            return $"it did not end within {matrix.CellSeconds} s";
        int missing = Enumerable.Range(0, entry.Inject.Count).Except(fired.Select(each => each.Fault.Index)).Count();
        if (missing > 0)
            return $"{missing} of {entry.Inject.Count} faults did not happen (exit code {code}: {LastLine(output)})";
        if (code != entry.Code)
            return $"its exit code is {code}, not {entry.Code}: {LastLine(output)}";
        if (entry.Resume && last != 0)
            return $"it cannot be resumed: {LastLine(output)}";
        if (entry.Says.Length > 0 && !Regex.IsMatch(output, entry.Says))
            return $"nowhere does it say '{entry.Says}': {LastLine(output)}";
        return entry.Identical ? RunDifference.Of(whole, run) : "";
    }

    /// <summary>An empty directory in place of whatever was there.</summary>
    public static string Fresh(string run)
    {
        foreach (string old in (string[])[run, run + ".data"])
            if (Directory.Exists(old))
                Directory.Delete(old, recursive: true);
        Directory.CreateDirectory(run);
        return run;
    }

    /// <summary>The last line of a run's output.</summary>
    public static string LastLine(string output) => output.TrimEnd().Split('\n')[^1].Trim();

    private static string Slug(string name) => Regex.Replace(name.ToLowerInvariant(), "[^a-z0-9]+", "-").Trim('-');
}
