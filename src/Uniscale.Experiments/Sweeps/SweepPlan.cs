using System.Text.Json;
using Uniscale.Configuration;
using Uniscale.Programs;

namespace Uniscale.Experiments.Sweeps;

/// <summary>The runs of a sweep, made before any starts: a function of the sweep's file and of the base configuration.</summary>
/// <param name="Sweep">The file.</param>
/// <param name="BasePath">The base configuration.</param>
/// <param name="Directory">Directory of the sweep.</param>
/// <param name="Runs">Every run.</param>
public sealed record SweepPlan(SweepConfiguration Sweep, string BasePath, string Directory, IReadOnlyList<SweepRun> Runs)
{
    /// <summary>Keys that the sweep itself gives every run.</summary>
    private static readonly string[] OwnKeys = ["name", "run_directory", "checkpoint.directory", "train.threads"];

    private static readonly JsonSerializerOptions Readable = new() { WriteIndented = true };

    /// <summary>Keys that differ between runs, in the order of the file.</summary>
    public IReadOnlyList<string> Keys => [.. Runs.SelectMany(run => run.Values).Select(pair => pair.Key).Distinct()];

    /// <summary>Reads a sweep and resolves every run.</summary>
    /// <exception cref="UserErrorException">The file, the base or a value that was written down is wrong, with its place.</exception>
    public static SweepPlan Load(string path)
    {
        var sweep = ConfigurationLoader.Read<SweepConfiguration>(path, "the sweep");
        if (sweep.Base.Length == 0)
            throw new UserErrorException(
                $"{path}: base is not given: name the configuration that all runs start from, relative to {path}."
            );
        string basePath = Path.Combine(Path.GetDirectoryName(path) ?? "", sweep.Base);
        if (!File.Exists(basePath))
            throw new UserErrorException($"{path}: base names {basePath}, which does not exist; the path is relative to this file.");
        string directory = Path.GetFullPath(sweep.Directory ?? Path.Combine("runs", sweep.Name));
        var values = Values(sweep, path);
        foreach (string key in sweep.Set.Keys.Concat(values.SelectMany(run => run).Select(pair => pair.Key)))
            if (OwnKeys.Contains(key))
                throw new UserErrorException(
                    $"{path}: {key} is given by the sweep to every run; take it out{(key == "train.threads" ? " and set threads" : "")}."
                );
        var plan = new SweepPlan(
            sweep,
            basePath,
            directory,
            [.. values.Select((own, index) => Resolve(sweep, basePath, directory, index, own))]
        );
        plan.CheckRefusals(path);
        return plan;
    }

    /// <summary>What must not change between a start of a sweep and its continuation.</summary>
    public string Identity()
    {
        var identity = new
        {
            Metric = Sweep.Metric.ToString(),
            Stop = Sweep.Stop.ToString(),
            Sweep.Ranks,
            Runs = Runs.Select(run => new { run.Title, run.Hash }),
        };
        return JsonSerializer.Serialize(identity, Readable);
    }

    private static IReadOnlyList<IReadOnlyList<KeyValuePair<string, string>>> Values(SweepConfiguration sweep, string path)
    {
        bool isGrid = sweep.Grid.Count > 0,
            isRandom = sweep.Random is not null,
            isList = sweep.List.Count > 0;
        if ((isGrid ? 1 : 0) + (isRandom ? 1 : 0) + (isList ? 1 : 0) != 1)
            throw new UserErrorException(
                $"{path}: give exactly one of grid, random and list, for example grid: {{ optimizer.lr: [1e-3, 3e-3] }}."
            );
        if (isList)
            return [.. sweep.List.Select(entry => entry.ToList())];
        if (isGrid)
            return Grid(sweep.Grid, path);
        if (sweep.Random!.Values.Count == 0)
            throw new UserErrorException(
                $"{path}: random.values is empty: give a distribution, for example optimizer.lr: {{ log: [1e-4, 1e-2] }}."
            );
        return
        [
            .. Enumerable
                .Range(0, sweep.Random.Runs)
                .Select(run =>
                    sweep
                        .Random.Values.Select(pair =>
                            KeyValuePair.Create(pair.Key, Distribution.Draw(pair.Value, pair.Key, sweep.Random.Seed, run))
                        )
                        .ToList()
                ),
        ];
    }

    /// <summary>Every combination; the last key changes fastest.</summary>
    private static IReadOnlyList<IReadOnlyList<KeyValuePair<string, string>>> Grid(
        IReadOnlyDictionary<string, IReadOnlyList<string>> grid,
        string path
    )
    {
        IEnumerable<IReadOnlyList<KeyValuePair<string, string>>> runs =
        [
            [],
        ];
        double count = 1;
        foreach (var (key, values) in grid)
        {
            if (values.Count == 0)
                throw new UserErrorException($"{path}: grid.{key} has no values: give at least one, or take it out.");
            count *= values.Count;
            if (count > RandomSection.MostRuns)
                throw new UserErrorException(
                    $"{path}: the grid has more than {RandomSection.MostRuns} runs: give fewer values, or draw some with random."
                );
            runs = runs.SelectMany(run =>
                values.Select(value => (IReadOnlyList<KeyValuePair<string, string>>)[.. run, KeyValuePair.Create(key, value)])
            );
        }
        return [.. runs];
    }

    private static SweepRun Resolve(
        SweepConfiguration sweep,
        string basePath,
        string directory,
        int index,
        IReadOnlyList<KeyValuePair<string, string>> own
    )
    {
        string name = SweepRun.NameOf(index),
            run = Path.Combine(directory, name);
        List<string> overrides =
        [
            ConfigurationLoader.Override("name", $"{sweep.Name}-{name}"),
            ConfigurationLoader.Override("run_directory", run),
            $"train.threads={sweep.Threads}",
            .. sweep.Set.Concat(own).Select(pair => $"{pair.Key}={pair.Value}"),
        ];
        try
        {
            var resolved = ConfigurationLoader.Load(basePath, overrides);
            LayoutGate.Check(resolved);
            LayoutGate.CheckWorld(resolved.Value, sweep.Ranks);
            CheckMilestones(sweep, resolved.Value);
            return new SweepRun(index, own, overrides, run, resolved.Hash, resolved.Value.Train.Steps, Device: resolved.Value.Train.Device);
        }
        catch (UserErrorException refusal)
        {
            return new SweepRun(index, own, overrides, run, "", 0, refusal.Message);
        }
    }

    /// <summary>
    /// A drawn combination that cannot be is a row of the table; values that somebody wrote down are that person's mistake.
    /// </summary>
    private void CheckRefusals(string path)
    {
        var refused = Runs.Where(run => run.Refusal is not null).ToList();
        if (refused.Count > 0 && (Sweep.Random is null || refused.Count == Runs.Count))
            throw new UserErrorException($"{path}: {refused[0].Name} ({refused[0].Title}) cannot be: {refused[0].Refusal}");
        // Runs that end before are judged by their end; where all do, the rule stops nothing, in silence. Without steps: not known here.
        long last = Runs.Where(run => run.Refusal is null)
            .Select(run => run.Steps > 0 ? run.Steps : long.MaxValue)
            .DefaultIfEmpty(long.MaxValue)
            .Max();
        if (Sweep.Stop.Rule != StoppingKind.None && Sweep.Stop.After >= last)
            throw new UserErrorException(
                $"{path}: stop.after is {Sweep.Stop.After}, but the runs end at step {last} at the latest, so none would be stopped: lower it, or take stop out."
            );
    }

    private static void CheckMilestones(SweepConfiguration sweep, RunConfiguration run)
    {
        if (sweep.Metric != SweepMetric.Validation)
            return;
        if (run.Data.Validation.Count == 0)
            throw new UserErrorException(
                "runs are ranked by validation, but data.validation names no sources: name some, or set metric: training."
            );
        var stop = sweep.Stop;
        if (stop.Rule == StoppingKind.None)
            return;
        foreach (
            var (key, steps) in (ReadOnlySpan<(string, long)>)
                [("stop.after", stop.After), ("stop.every", stop.Rule == StoppingKind.Median ? stop.Every : 0)]
        )
            if (run.Evaluation.Every == 0 || steps % run.Evaluation.Every != 0)
                throw new UserErrorException(
                    $"{key} is {steps}, but the runs validate {(run.Evaluation.Every == 0 ? "only at their end" : $"every {run.Evaluation.Every} steps")}: "
                        + "set evaluation.every to a divisor of it (under set:), or metric: training."
                );
    }
}
