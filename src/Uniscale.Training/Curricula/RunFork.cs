using Uniscale.Checkpoints.Catalog;
using Uniscale.Configuration;
using Uniscale.Data;
using Uniscale.Programs;
using Uniscale.Training.Runs;

namespace Uniscale.Training.Curricula;

/// <summary>
/// A new run that begins where a phase of another began: its configuration with the changes, its checkpoint of that place. The phases
/// before must stay
/// as they were, since they were fed; the fingerprint of the data until then proves it.
/// </summary>
public sealed class RunFork
{
    /// <summary>Name of the configuration in the new run's directory.</summary>
    public const string ConfigurationName = RunFolder.ForkFile;

    private readonly CatalogEntry _checkpoint;
    private readonly ResolvedConfiguration _configuration;

    private RunFork(string directory, CatalogEntry checkpoint, ResolvedConfiguration configuration)
    {
        Directory = directory;
        _checkpoint = checkpoint;
        _configuration = configuration;
    }

    /// <summary>Folder of the new run.</summary>
    public string Directory { get; }

    /// <summary>Step that it continues after.</summary>
    public long Step => _checkpoint.Step;

    /// <summary>Tokens fed until then.</summary>
    public long ConsumedTokens => _checkpoint.Manifest!.ConsumedTokens;

    /// <summary>Finds the checkpoint at which a phase begins and checks that the changes touch nothing before it.</summary>
    /// <param name="run">Directory of the run.</param>
    /// <param name="phase">Phase to start again, from 1.</param>
    /// <param name="directory">Directory of the new run.</param>
    /// <param name="changes">Overrides such as <c>phases[2].lr=2e-5</c>.</param>
    /// <exception cref="UserErrorException">There is no such phase or checkpoint, or a change reaches back.</exception>
    public static RunFork Prepare(string run, int phase, string directory, IReadOnlyList<string> changes)
    {
        var entries = CheckpointCatalog.List(CheckpointInput.DirectoryOf(run));
        CatalogEntry[] good = [.. entries.Where(entry => entry.Manifest is not null)];
        if (good.Length == 0)
            throw new UserErrorException($"{run} has no good checkpoint; give the directory of a run that has saved one.");
        if (System.IO.Directory.Exists(directory) && System.IO.Directory.EnumerateFileSystemEntries(directory).Any())
            throw new UserErrorException($"{directory} is not empty; name another directory with --out.");
        string yaml = good[0].Manifest!.ConfigurationYaml;
        var configuration = ConfigurationLoader.ParseStored(yaml, [], run).Value;
        using var original = Curriculum.FromConfiguration(configuration);
        if (phase < 1 || phase > original.Phases.Count)
            throw new UserErrorException($"The run has {original.Phases.Count} phase(s); --phase {phase} is none of them.");
        long start = original.Phases[phase - 1].StartTokens;
        var checkpoint =
            good.FirstOrDefault(entry => entry.Manifest!.ConsumedTokens == start)
            ?? throw new UserErrorException(
                $"{run} has no checkpoint at {start} tokens, where phase {phase} begins; it has {string.Join(", ", good.Select(entry => entry.Manifest!.ConsumedTokens))}."
            );

        string name = Path.GetFileName(Path.GetFullPath(directory));
        // The original keeps its directory of checkpoints.
        string[] place = configuration.Checkpoint.Directory is null
            ? []
            : [ConfigurationLoader.Override("checkpoint.directory", Path.Combine(directory, "checkpoints"))];
        // The window is kept: another would cut and order the data anew.
        var forked = ConfigurationLoader.ParseStored(
            yaml,
            [
                $"data.window={original.Window}",
                .. changes,
                ConfigurationLoader.Override("name", name),
                ConfigurationLoader.Override("run_directory", directory),
                .. place,
            ],
            run
        );
        LayoutGate.Check(forked);
        using var curriculum = Curriculum.FromConfiguration(forked.Value);
        if (
            curriculum.Phases.Count < phase
            || curriculum.Phases[phase - 1].StartTokens != start
            || curriculum.FingerprintAt(start) != original.FingerprintAt(start)
            || !Enumerable
                .Range(0, phase - 1)
                .All(i => curriculum.Phases[i].Settings with { Evaluate = [] } == original.Phases[i].Settings with { Evaluate = [] })
        )
            throw new UserErrorException(
                $"The changes reach into what was done before phase {phase}; a fork may change that phase and later ones, and add sources."
            );
        return new RunFork(directory, checkpoint, forked);
    }

    /// <summary>Writes the configuration and the checkpoint (copied whole).</summary>
    public void Write()
    {
        string target = Path.Combine(Directory, "checkpoints", Path.GetFileName(_checkpoint.Folder));
        System.IO.Directory.CreateDirectory(target);
        foreach (string file in System.IO.Directory.GetFiles(_checkpoint.Folder))
            File.Copy(file, Path.Combine(target, Path.GetFileName(file)));
        RunFolder.Write(Path.Combine(Directory, ConfigurationName), _configuration);
    }
}
