using System.CommandLine;
using System.Text.Json;
using System.Text.Json.Serialization;
using Uniscale.Launching.Ranks;
using Uniscale.Launching.Supervision;
using Uniscale.Telemetry;

namespace Uniscale.Cli.Commands;

/// <summary><c>uniscale status</c> and <c>uniscale why</c>: how a run goes, and why it stopped or stands still.</summary>
internal static class RunCommands
{
    private static readonly JsonSerializerOptions Format = new()
    {
        WriteIndented = true,
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.SnakeCaseLower) },
    };

    public static Command Status()
    {
        var run = Run();
        var json = CommonOptions.Json();
        var watch = new Option<bool>("--watch")
        {
            Description =
                "Look again every two seconds until the run ends or Ctrl-C: a picture where the output is a terminal, else a line whenever something is new.",
        };
        var command = new Command(
            "status",
            "Show how a run goes: step, tokens, loss, speed, restarts, effective training time, last durable checkpoint."
        )
        {
            run,
            json,
            watch,
        };
        command.SetAction(parsed =>
        {
            if (parsed.GetValue(watch))
                return StatusWatch.Run(parsed.GetValue(run)!, parsed.InvocationConfiguration.Output);
            var status = RunStatus.Read(parsed.GetValue(run)!, DateTimeOffset.UtcNow);
            var output = parsed.InvocationConfiguration.Output;
            if (parsed.GetValue(json))
                output.WriteLine(JsonSerializer.Serialize(status, Format));
            else
                Print(status, output);
            return 0;
        });
        return command;
    }

    public static Command Why()
    {
        var run = Run();
        var command = new Command(
            "why",
            "Say why a run stopped or stands still: the first rank to fail, and the last operation of each rank."
        )
        {
            run,
        };
        command.SetAction(parsed =>
        {
            string directory = parsed.GetValue(run)!;
            var now = DateTimeOffset.UtcNow;
            var status = RunStatus.Read(directory, now);
            var output = parsed.InvocationConfiguration.Output;
            output.WriteLine(Verdict(status));
            string folder = Path.Combine(directory, RankLauncher.FolderName);
            foreach (var entry in EventLog.Read(folder))
                output.WriteLine($"{entry.Time.ToLocalTime():yyyy-MM-dd HH:mm:ss}  {entry.Kind,-9} step {entry.Step,-8} {entry.Message}");
            if (status.LastFault?.Details is { } details)
                foreach (string line in details)
                    output.WriteLine($"  {line}");
            if (status.State is RunState.Finished or RunState.Stopped || RunStatus.NewestFolder(folder) is not { } newest)
                return 0;
            var diagnosis = Diagnosis.Of(newest, now);
            if (status.State is not RunState.Running)
                output.WriteLine($"Now: {diagnosis.Sentence}.");
            foreach (string line in diagnosis.Table)
                output.WriteLine($"  {line}");
            return 0;
        });
        return command;
    }

    private static Argument<string> Run() => new("RUN") { Description = "Directory of the run, for example runs/quickstart." };

    private static string Verdict(RunStatus status) =>
        status.State switch
        {
            RunState.Running => $"The run goes on: step {status.Step} of {status.TotalSteps}.",
            RunState.Standing => $"The run lives but has not moved for a minute, at step {status.Step}.",
            RunState.Finished => $"The run is finished, at step {status.Step}.",
            RunState.Stopped => status.Ending!,
            RunState.Failed => $"The run failed at step {status.Step}: {status.LastFault?.Message}.",
            _ =>
                $"The run ended at step {status.Step} without a word: it was killed from outside, or its machine failed; continue with --resume.",
        };

    private static void Print(RunStatus status, TextWriter output)
    {
        void Line(string name, FormattableString value) => output.WriteLine($"{name,-12}{FormattableString.Invariant(value)}");
        Line("state", $"{status.State.ToString().ToLowerInvariant()}");
        Line("step", $"{status.Step} of {status.TotalSteps}");
        Line("tokens", $"{status.ConsumedTokens:N0}");
        if (status.Loss is { } loss)
            Line("loss", $"{loss:F4}");
        foreach (var task in status.Scores.Values)
            Line(task.Task, $"{task} at step {task.Step}");
        Line("speed", $"{status.TokensPerSecond:N0} tokens/s");
        Line("layout", $"{status.Layout}");
        Line("restarts", $"{status.Restarts}");
        var account = status.Account;
        Line(
            "effective",
            $"{account.Effective:N0} s of {status.Wall.TotalSeconds - account.Standing:N0} s in steps that count ({status.EffectiveShare:P1}); in {account.Waiting:N0} s of them rank 0 waited for others"
        );
        Line("lost to", $"{account.Losses()}");
        if (account.Standing > 0)
            Line("stood still", $"{account.Standing:N0} s, between a stop and its resumption");
        if (status.BadSteps.Count > 0)
        {
            Line(
                "bad steps",
                $"{string.Join(", ", status.BadSteps.Select(kind => $"{kind.Value} {kind.Key}"))}; rollbacks: {status.Rollbacks}; the data of {status.SkippedSteps} steps is not in the weights"
            );
            if (status.LastIncident is { } incident)
                Line("", $"{incident}");
        }
        Line("checkpoint", $"{status.Checkpoint ?? "none yet"}");
        if (status.UnreadLines > 0)
            Line(
                "left out",
                $"{status.UnreadLines} {(status.UnreadLines == 1 ? "line" : "lines")} of metrics.jsonl that {(status.UnreadLines == 1 ? "is no record" : "are no records")}"
            );
        if (status.LastFault is { } fault)
            Line("last fault", $"{fault.Message}");
    }
}
