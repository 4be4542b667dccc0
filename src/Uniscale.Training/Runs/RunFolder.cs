using Uniscale.Checkpoints.Catalog;
using Uniscale.Configuration;
using Uniscale.Data;
using Uniscale.Telemetry;
using Uniscale.Training.Ownership;

namespace Uniscale.Training.Runs;

/// <summary>The directory of a run: resolved configuration, checkpoints, metrics, logs.</summary>
/// <param name="configuration">The run.</param>
public sealed class RunFolder(RunConfiguration configuration)
{
    /// <summary>File with the resolved configuration.</summary>
    public const string ConfigurationFile = "config.yaml";

    /// <summary>File with the configuration of a run that begins in the middle of another.</summary>
    public const string ForkFile = "fork.yaml";

    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    /// <summary>The directory.</summary>
    public string FullPath { get; } = Path.GetFullPath(configuration.RunDirectory ?? Path.Combine("runs", configuration.Name));

    /// <summary>Where checkpoints lie.</summary>
    public string Checkpoints => Path.GetFullPath(configuration.Checkpoint.Directory ?? Path.Combine(FullPath, "checkpoints"));

    /// <summary>Whether a run has begun here.</summary>
    public bool HoldsRun => File.Exists(Path.Combine(FullPath, ConfigurationFile));

    private bool _isNew;

    /// <summary>Whether checkpoints lie where this run's go.</summary>
    public bool HoldsCheckpoints => CheckpointCatalog.HasAny(Checkpoints);

    /// <summary>
    /// The run's folder, where a file is the configuration that a run has stored (links to the file are followed); null: it is none. The
    /// run is where its
    /// files are, whatever the configuration says of where they were.
    /// </summary>
    public static string? OfConfiguration(string file)
    {
        string path = Path.GetFullPath(file);
        try
        {
            if (File.Exists(path))
                path = File.ResolveLinkTarget(path, returnFinalTarget: true)?.FullName ?? path;
        }
        catch (IOException)
        {
            // Whoever reads it says what is wrong with it.
            return null;
        }
        string folder = Path.GetDirectoryName(path)!;
        bool isRun =
            Path.GetFileName(path) is ConfigurationFile or ForkFile
            && (
                ((string[])[RunIdentity.FileName, TelemetryFactory.MetricsFileName]).Any(name => File.Exists(Path.Combine(folder, name)))
                || CheckpointCatalog.HasAny(Path.Combine(folder, "checkpoints"))
            );
        return isRun ? folder : null;
    }

    /// <summary>
    /// The directory of checkpoints that a path means which is a run's folder: where its configuration has them, or else where it last
    /// saved one, since a
    /// configuration may say it relative to where the run was started.
    /// </summary>
    /// <returns>Null: it is no run's folder.</returns>
    public static string? CheckpointsOf(string run)
    {
        string file = Path.Combine(run, ConfigurationFile);
        if (!File.Exists(file) || OfConfiguration(file) is not { } folder)
            return null;
        string configured = new RunFolder(ConfigurationLoader.LoadStored(file, folder).Value).Checkpoints;
        if (CheckpointCatalog.HasAny(configured) || RunIdentity.Read(folder) is not { SavedIn.Length: > 0 } identity)
            return configured;
        // Those within the folder went with it; where it was, another may be.
        return RunOwnership.IsWithin(identity.SavedIn, identity.Directory) || !CheckpointCatalog.HasAny(identity.SavedIn)
            ? configured
            : identity.SavedIn;
    }

    /// <summary>Keeps the run for this process to train.</summary>
    /// <param name="say">Hears why that waits.</param>
    /// <exception cref="UserErrorException">Another process has it.</exception>
    public RunOwnership Own(Action<string>? say = null) => Writing(() => RunOwnership.ToTrain(FullPath, Checkpoints, say));

    /// <summary>
    /// Makes the directory of a new run, or finds the one to continue. The command does it before ranks start, and one of them again.
    /// </summary>
    /// <param name="resume">A run that is there is continued.</param>
    /// <exception cref="UserErrorException">A run is there and is not to be continued.</exception>
    public void Prepare(bool resume)
    {
        if (HoldsRun && !resume)
            throw new UserErrorException(
                $"{FullPath} already holds a run: continue it with --resume, or begin another with --set name=OTHER."
            );
        if (HoldsCheckpoints && !resume)
            throw new UserErrorException(
                $"{Checkpoints} already holds checkpoints, which a new run would delete one by one: continue their run with --resume, or give this one another place (--set name=OTHER, checkpoint.directory)."
            );
        _isNew |= !Directory.Exists(FullPath);
        Writing(() => Directory.CreateDirectory(Path.Combine(FullPath, "logs")));
    }

    /// <summary>
    /// Takes away the directory that <see cref="Prepare"/> made for a run that was refused before it began. Call it while the run is held.
    /// </summary>
    public void Forget()
    {
        if (!_isNew || HoldsRun || HoldsCheckpoints)
            return;
        // Ranks that are still starting make files there (heartbeats, journals), so that a folder just emptied is not empty. What is left
        // at last
        // holds no run, and the refusal is what the user has to read.
        for (int attempt = 0; attempt < 50 && !TryDelete(); attempt++)
            Thread.Sleep(10);
    }

    private bool TryDelete()
    {
        try
        {
            Directory.Delete(FullPath, recursive: true);
            return true;
        }
        catch (DirectoryNotFoundException)
        {
            return true;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    /// <summary>As <see cref="Forget"/>, where this process does not hold the run: another may have begun there in the meantime.</summary>
    public void ForgetIfFree()
    {
        if (!_isNew)
            return;
        try
        {
            using var owned = Own();
            Forget();
        }
        catch (UserErrorException)
        {
            // The directory is in use, so it stays.
        }
    }

    /// <summary>
    /// Stores who the run is and its configuration, once the run has begun or its checkpoint has been loaded (a refused resumption changes
    /// nothing), and a copy of the
    /// tokenizer, so that the run's texts can be read from anywhere.
    /// </summary>
    public void Store(ResolvedConfiguration resolved, RunIdentity identity) =>
        Writing(() =>
        {
            identity.Write(FullPath, Checkpoints);
            Write(Path.Combine(FullPath, ConfigurationFile), resolved);
            if (resolved.Value.Data.Tokenizer is { } tokenizer && File.Exists(tokenizer))
                TokenizerFiles.Copy(tokenizer, FullPath);
        });

    /// <summary>
    /// Writes a configuration as a file that its owner alone may read: it may say more of a machine than others should know.
    /// </summary>
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

    private void Writing(Action write) =>
        Writing<object?>(() =>
        {
            write();
            return null;
        });

    private T Writing<T>(Func<T> write)
    {
        try
        {
            return write();
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            string reason = $"cannot be written ({error.Message})";
            throw new UserErrorException(
                RunOwnership.IsWithin(Checkpoints, FullPath)
                    ? $"The run directory {FullPath} {reason}: set run_directory to a place that can."
                    : $"The run directory {FullPath} or that of checkpoints, {Checkpoints}, {reason}: set run_directory or checkpoint.directory to a place that can.",
                error
            );
        }
    }
}
