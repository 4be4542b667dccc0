using Uniscale.Configuration;

namespace Uniscale.Launching.Training;

/// <summary>The directory of a run: resolved configuration, checkpoints, metrics, logs.</summary>
/// <param name="configuration">The run.</param>
public sealed class RunFolder(RunConfiguration configuration)
{
    /// <summary>File with the resolved configuration.</summary>
    public const string ConfigurationFile = "config.yaml";

    /// <summary>The directory.</summary>
    public string FullPath { get; } = Path.GetFullPath(configuration.RunDirectory ?? Path.Combine("runs", configuration.Name));

    /// <summary>Where checkpoints lie.</summary>
    public string Checkpoints => Path.GetFullPath(configuration.Checkpoint.Directory ?? Path.Combine(FullPath, "checkpoints"));

    /// <summary>Whether a run has begun here.</summary>
    public bool HoldsRun => File.Exists(Path.Combine(FullPath, ConfigurationFile));

    /// <summary>Makes the directory of a new run, or finds the one to continue; one rank does it.</summary>
    /// <param name="resume">A run that is there is continued.</param>
    /// <exception cref="UserErrorException">A run is there and is not to be continued.</exception>
    public void Prepare(bool resume)
    {
        if (HoldsRun && !resume)
            throw new UserErrorException($"{FullPath} already holds a run: continue it with --resume, or begin another with --set name=OTHER.");
        Writing(() => Directory.CreateDirectory(Path.Combine(FullPath, "logs")));
    }

    /// <summary>Stores the configuration, once the run has begun or its checkpoint has been loaded: a refused resumption changes nothing.</summary>
    public void Store(ResolvedConfiguration resolved) => Writing(() => File.WriteAllText(Path.Combine(FullPath, ConfigurationFile), resolved.ToYaml()));

    private void Writing(Action write)
    {
        try
        {
            write();
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new UserErrorException($"The run directory {FullPath} cannot be written ({error.Message}): set run_directory to a place that can.", error);
        }
    }
}
