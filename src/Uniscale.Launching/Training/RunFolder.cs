using Uniscale.Configuration;

namespace Uniscale.Launching.Training;

/// <summary>The directory of a run: resolved configuration, checkpoints, metrics, logs.</summary>
/// <param name="configuration">The run.</param>
public sealed class RunFolder(RunConfiguration configuration)
{
    /// <summary>File with the resolved configuration.</summary>
    public const string ConfigurationFile = "config.yaml";

    /// <summary>Copy of the run's tokenizer.</summary>
    public const string TokenizerFile = "tokenizer.model";

    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    /// <summary>The directory.</summary>
    public string FullPath { get; } = Path.GetFullPath(configuration.RunDirectory ?? Path.Combine("runs", configuration.Name));

    /// <summary>Where checkpoints lie.</summary>
    public string Checkpoints => Path.GetFullPath(configuration.Checkpoint.Directory ?? Path.Combine(FullPath, "checkpoints"));

    /// <summary>Whether a run has begun here.</summary>
    public bool HoldsRun => File.Exists(Path.Combine(FullPath, ConfigurationFile));

    private bool _isNew;

    private bool HoldsCheckpoints => Directory.Exists(Checkpoints) && Directory.EnumerateFileSystemEntries(Checkpoints).Any();

    /// <summary>Makes the directory of a new run, or finds the one to continue. The command does it before ranks start, and one of them again.</summary>
    /// <param name="resume">A run that is there is continued.</param>
    /// <exception cref="UserErrorException">A run is there and is not to be continued.</exception>
    public void Prepare(bool resume)
    {
        if (HoldsRun && !resume)
            throw new UserErrorException($"{FullPath} already holds a run: continue it with --resume, or begin another with --set name=OTHER.");
        _isNew |= !Directory.Exists(FullPath);
        Writing(() => Directory.CreateDirectory(Path.Combine(FullPath, "logs")));
    }

    /// <summary>Takes away the directory that <see cref="Prepare"/> made for a run that was refused before it began.</summary>
    public void Forget()
    {
        if (!_isNew || HoldsRun || HoldsCheckpoints) return;
        try
        {
            Directory.Delete(FullPath, recursive: true);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            // What is left holds no run, and the refusal is what the user has to read.
        }
    }

    /// <summary>
    /// Stores the configuration, once the run has begun or its checkpoint has been loaded (a refused resumption changes nothing), and a copy of the
    /// tokenizer, so that the run's texts can be read from anywhere.
    /// </summary>
    public void Store(ResolvedConfiguration resolved) => Writing(() =>
    {
        Write(Path.Combine(FullPath, ConfigurationFile), resolved);
        var copy = Path.Combine(FullPath, TokenizerFile);
        if (resolved.Value.Data.Tokenizer is { } tokenizer && File.Exists(tokenizer) && Path.GetFullPath(tokenizer) != copy)
            File.Copy(tokenizer, copy, overwrite: true);
    });

    /// <summary>Writes a configuration as a file that its owner alone may read: it may say more of a machine than others should know.</summary>
    public static void Write(string path, ResolvedConfiguration resolved)
    {
        var options = new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows())
            options.UnixCreateMode = OwnerOnly;
        using var writer = new StreamWriter(path, options);
        // A file that was there keeps its mode otherwise.
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(path, OwnerOnly);
        writer.Write(resolved.ToYaml());
    }

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
