using System.Globalization;
using Uniscale.Checkpoints;
using Uniscale.Configuration;
using Uniscale.Launching.Ranks;
using Uniscale.Launching.Supervision;
using Uniscale.Programs;
using Uniscale.Programs.Memory;
using Uniscale.Telemetry;
using Uniscale.Training.Preflight;
using Uniscale.Training.Runtime;

namespace Uniscale.Training.Runs;

/// <summary>What a start of training tells of itself.</summary>
/// <param name="resolved">The configuration.</param>
/// <param name="options">How the run was started.</param>
/// <param name="folder">Its directory.</param>
/// <param name="runtime">The rank that tells.</param>
internal sealed class StartReport(ResolvedConfiguration resolved, TrainingOptions options, RunFolder folder, RankRuntime runtime)
{
    private RunConfiguration Configuration => resolved.Value;

    /// <summary>What is known of the run before its first step. Collective: the peak of the ranks' processors may be measured.</summary>
    /// <param name="vocabulary">Tokens of the data's vocabulary.</param>
    /// <param name="seconds">Time that the start took, by what for.</param>
    public RunStart Describe(int vocabulary, IReadOnlyDictionary<string, double> seconds)
    {
        int ranks = runtime.World.Size;
        bool measure = Configuration.Logging.PeakFlops <= 0 && Configuration.Train.Device == "cpu";
        double? peak = measure ? PeakMeasurement.Measure(runtime.World.Group, runtime.Model.ActivationType) : null;
        if (Configuration.Logging.PeakFlops > 0)
            peak = Configuration.Logging.PeakFlops * ranks;
        var mesh = runtime.Specification.Mesh;
        return new RunStart
        {
            Name = Configuration.Name,
            RunDirectory = folder.FullPath,
            ConfigurationHash = resolved.Hash,
            ParameterCount = ParameterCount.OfModel(Configuration.Model, vocabulary),
            Ranks = ranks,
            Transport = runtime.World.Transport,
            Layout = $"tp{mesh.Tensor} pp{mesh.Pipeline} cp{mesh.Context} dp{mesh.Data} zero{runtime.Specification.ZeroStage}",
            TotalSteps = runtime.TotalSteps,
            TotalTokens = runtime.EndTokens,
            ResumedStep = runtime.Position.Step,
            Restarts = EventLog
                .Read(Path.Combine(folder.FullPath, RankLauncher.FolderName))
                .Count(entry => entry.Kind == JobEventKind.Restarted),
            FlopsPerToken = ModelFlops.PerToken(Configuration.Model, vocabulary),
            FlopsFormula = ModelFlops.Formula,
            PeakFlops = peak,
            PeakSource = measure ? "measured at start" : "logging.peak_flops",
            StartupSeconds = seconds,
        };
    }

    /// <summary>Each rank's log says what it holds.</summary>
    public void TellMemory(RunTelemetry telemetry)
    {
        var memory = runtime.Model.Memory;
        telemetry.Log.Information(
            string.Create(
                CultureInfo.InvariantCulture,
                $"Rank {runtime.World.Rank} holds {memory.TotalBytes / 1e6:F1} MB: parameters {memory.ParameterBytes / 1e6:F1}, gradients {memory.GradientBytes / 1e6:F1}, optimizer {memory.OptimizerBytes / 1e6:F1}."
            )
        );
    }

    /// <summary>What rank 0 says before the first step, of all ranks.</summary>
    /// <param name="telemetry">Hears it.</param>
    /// <param name="preflight">What the look at the nodes found; null: there was none.</param>
    /// <param name="loaded">The checkpoint that the run goes on from; null: none.</param>
    /// <param name="obstacle">Why no checkpoint could be saved now; null: nothing.</param>
    public void Tell(RunTelemetry telemetry, PreflightReport? preflight, LoadedCheckpoint? loaded, string? obstacle)
    {
        if (runtime.World.Transport.Length > 0)
            telemetry.Log.Information("Ranks are processes that communicate by {Transport:l}.", runtime.World.Transport);
        if (preflight is not null)
            TellPreflight(telemetry, preflight);
        TellMemory(telemetry);
        TellResumption(telemetry, loaded, obstacle);
    }

    private void TellPreflight(RunTelemetry telemetry, PreflightReport preflight)
    {
        telemetry.Log.Information("{Preflight:l}", preflight.Sentence);
        foreach (var finding in preflight.Findings)
            telemetry.Note(new Note(runtime.Position.Step, "slow-node", $"The preflight finds a slow node: {finding.Sentence}.", NoteLevel.Warning));
    }

    private void TellResumption(RunTelemetry telemetry, LoadedCheckpoint? loaded, string? obstacle)
    {
        if (!options.Resume)
            return;
        if (obstacle is not null)
            telemetry.Note(
                new Note(
                    runtime.Position.Step,
                    "checkpoint-no-room",
                    $"A checkpoint could not be saved now: {obstacle}. Training goes on.",
                    NoteLevel.Warning
                )
            );
        if (loaded is null)
        {
            telemetry.Log.Information("There is no checkpoint yet: the run begins at step 0.");
            return;
        }
        foreach (string note in loaded.Notes)
            telemetry.Note(new Note(runtime.Position.Step, "checkpoint-damaged", note, NoteLevel.Warning));
        telemetry.Log.Information("Resumed from {Folder:l}", loaded.Folder);
        foreach (var change in ConfigurationDifference.Of(loaded.Manifest.ConfigurationYaml, resolved))
            telemetry.Log.Information(
                "Changed since the checkpoint: {Line:l}{Follows:l}",
                change.ToString(),
                ResumeRules.FollowsFrom(change) is { } follows ? $"; {follows}" : ""
            );
    }
}
