using System.Text.Json;

namespace Uniscale.Telemetry.Accounting;

/// <summary>
/// Keeps the account of a run's time. What a run that was started again has spent before is read from its metrics file, before records of
/// steps
/// that will be done again are dropped from it.
/// </summary>
public sealed class TimeKeeper
{
    private readonly List<Step> _steps = [];

    private TimeKeeper(TimeAccount account, bool isFirst)
    {
        Account = account;
        IsFirst = isFirst;
    }

    private sealed record Step(long Number, double Seconds, double Waited, TimeUse Use);

    /// <summary>The account so far.</summary>
    public TimeAccount Account { get; private set; }

    /// <summary>The run has not been started before.</summary>
    public bool IsFirst { get; }

    /// <summary>Opens the account of a run.</summary>
    /// <param name="metricsPath">Its metrics file; a run without one begins now.</param>
    /// <param name="resumedStep">Step that it continues after; 0: it begins anew, and what the file says is past.</param>
    /// <param name="started">When this start began.</param>
    public static TimeKeeper Open(string metricsPath, long resumedStep, DateTimeOffset started)
    {
        var fresh = new TimeKeeper(new TimeAccount { Since = started }, isFirst: true);
        if (!File.Exists(metricsPath))
            return fresh;
        TimeAccount? account = null;
        var last = started;
        bool hasEnded = false;
        var steps = new List<Step>();
        foreach (string line in File.ReadLines(metricsPath))
        {
            if (Parse(line) is not { } record)
                continue;
            account = record.Account ?? account;
            (last, hasEnded) = (record.Time, record.Kind == "end");
            if (record.Kind == "step")
                steps.Add(new Step(record.Step, record.Seconds, record.Waited, record.IsSkipped ? TimeUse.Discarded : TimeUse.Effective));
        }
        if (account is null)
            return fresh;
        double gap = Math.Max(0, (started - last).TotalSeconds);
        var keeper = new TimeKeeper(account.With(hasEnded ? TimeUse.Standing : TimeUse.Restarting, gap), isFirst: false);
        keeper._steps.AddRange(steps);
        keeper.Redo(resumedStep);
        return keeper;
    }

    /// <summary>Enters seconds that no step took.</summary>
    public void Add(TimeUse use, double seconds) => Account = Account.With(use, seconds);

    /// <summary>Enters a step.</summary>
    /// <param name="number">Its number, from 1.</param>
    /// <param name="seconds">Its wall time.</param>
    /// <param name="waited">Part of it spent waiting for other ranks.</param>
    /// <param name="counts">Its update is in the weights.</param>
    public void AddStep(long number, double seconds, double waited, bool counts)
    {
        var step = new Step(number, seconds, waited, counts ? TimeUse.Effective : TimeUse.Discarded);
        _steps.Add(step);
        Enter(step, +1);
    }

    /// <summary>The updates of the steps after <paramref name="step"/> are no longer in the weights.</summary>
    public void TakeBack(long step)
    {
        for (int i = _steps.Count - 1; i >= 0 && _steps[i].Number > step; i--)
        {
            Enter(_steps[i], -1);
            _steps[i] = _steps[i] with { Use = TimeUse.Discarded };
            Enter(_steps[i], +1);
        }
    }

    /// <summary>The steps after <paramref name="step"/> are done again.</summary>
    public void Redo(long step)
    {
        while (_steps.Count > 0 && _steps[^1].Number > step)
        {
            Enter(_steps[^1], -1);
            Enter(_steps[^1] with { Use = TimeUse.Redone }, +1);
            _steps.RemoveAt(_steps.Count - 1);
        }
    }

    private void Enter(Step step, int sign)
    {
        Account = Account.With(step.Use, sign * step.Seconds);
        if (step.Use == TimeUse.Effective)
            Account = Account with { Waiting = Account.Waiting + sign * step.Waited };
    }

    private sealed record Record(
        string Kind,
        DateTimeOffset Time,
        long Step,
        double Seconds,
        double Waited,
        bool IsSkipped,
        TimeAccount? Account
    );

    /// <summary>What a line says about time; null for one that was cut off.</summary>
    private static Record? Parse(string line)
    {
        try
        {
            using var document = JsonDocument.Parse(line);
            var root = document.RootElement;
            var account = root.TryGetProperty("account", out var found) ? found.Deserialize<TimeAccount>(Format) : null;
            bool isStep = root.GetProperty("kind").GetString() == "step";
            return new Record(
                root.GetProperty("kind").GetString()!,
                root.GetProperty("time").GetDateTimeOffset(),
                root.GetProperty("step").GetInt64(),
                isStep ? root.GetProperty("seconds").GetDouble() : 0,
                isStep && root.GetProperty("parts").TryGetProperty("wait", out var waited) ? waited.GetDouble() : 0,
                isStep && root.GetProperty("skipped").GetBoolean(),
                account
            );
        }
        catch (Exception error) when (error is JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
        {
            return null;
        }
    }

    /// <summary>How accounts stand in metrics files.</summary>
    public static JsonSerializerOptions Format { get; } = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };
}
