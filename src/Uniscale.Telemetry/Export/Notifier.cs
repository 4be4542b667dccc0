using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Net.Http.Json;
using System.Text.Json;
using System.Text.Json.Serialization;
using Uniscale.Configuration;

namespace Uniscale.Telemetry.Export;

/// <summary>What somebody is told.</summary>
/// <param name="Event">spike, restart, hang, finish or warning.</param>
/// <param name="Run">Name of the run.</param>
/// <param name="Step">Step at which it happened.</param>
/// <param name="Message">A sentence for people.</param>
/// <param name="LeftOut">Notices before it that the budget held back.</param>
internal sealed record Notice(
    [property: JsonPropertyName("event")] string Event,
    [property: JsonPropertyName("run")] string Run,
    [property: JsonPropertyName("step")] long Step,
    [property: JsonPropertyName("message")] string Message,
    [property: JsonPropertyName("left_out")] long LeftOut
);

/// <summary>
/// Tells people of what needs them, by a command, by a webhook, or both, and at most so often an hour. It works on a thread of its own: a
/// command that hangs is
/// ended, a webhook that does not answer is given up.
/// </summary>
public sealed class Notifier : INewsReader
{
    private const int MostWaiting = 64;

    private static readonly TimeSpan CommandLimit = TimeSpan.FromSeconds(30),
        WebhookLimit = TimeSpan.FromSeconds(10),
        Patience = TimeSpan.FromSeconds(2);
    private static readonly HashSet<string> Spikes =
    [
        "step-skipped",
        "step-rolled-back",
        "step-stopped",
        "step-suspect",
        "replicas-differ",
    ];

    private readonly NotifySection _section;
    private readonly Action<string> _complain;
    private readonly NoticeBudget _budget;
    private readonly BlockingCollection<Notice> _waiting = new(MostWaiting);
    private readonly Thread _thread;
    private string _run;
    private long _leftOut;
    private bool _hasComplained;

    /// <param name="section">Whom to tell, and how often.</param>
    /// <param name="run">Name of the run.</param>
    /// <param name="complain">Takes a sentence about a notice that could not be delivered, once.</param>
    public Notifier(NotifySection section, string run, Action<string> complain)
    {
        (_section, _run, _complain, _budget) = (section, run, complain, new NoticeBudget(section.MostPerHour));
        _thread = new Thread(Deliver) { IsBackground = true, Name = "notices" };
        _thread.Start();
    }

    /// <summary>Whether a section names anybody to tell.</summary>
    public static bool IsWanted(NotifySection section) => section.Command.Length > 0 || section.Webhook.Length > 0;

    /// <inheritdoc/>
    public void Take(object news)
    {
        switch (news)
        {
            case RunStart start:
                _run = start.Name;
                if (start.ResumedStep > 0)
                    Tell("restart", start.ResumedStep, $"The run goes on after step {start.ResumedStep}.");
                break;
            case Note note when Spikes.Contains(note.Kind):
                Tell("spike", note.Step, note.Message);
                break;
            case Note { Level: not NoteLevel.Information } note:
                Tell("warning", note.Step, note.Message);
                break;
            case RunEnd end:
                Tell("finish", end.Step, $"{(end.Finished ? "Finished" : "Stopped")} at step {end.Step}: {end.Message}");
                break;
        }
    }

    /// <summary>Tells of something, if it is asked for and the budget has room. Returns at once.</summary>
    public void Tell(string @event, long step, string message)
    {
        if (!_section.On.Contains(@event))
            return;
        if (
            !_budget.Spend(DateTimeOffset.UtcNow)
            || !_waiting.TryAdd(new Notice(@event, _run, step, message, Interlocked.Exchange(ref _leftOut, 0)))
        )
            Interlocked.Increment(ref _leftOut);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _waiting.CompleteAdding();
        if (_thread.Join(Patience))
            _waiting.Dispose();
    }

    private void Deliver()
    {
        using var client = new HttpClient { Timeout = WebhookLimit };
        foreach (var notice in _waiting.GetConsumingEnumerable())
        {
            if (_section.Command.Length > 0)
                Guarded("The command of telemetry.notify", () => Run(notice));
            if (_section.Webhook.Length > 0)
                Guarded("The webhook of telemetry.notify", () => Post(client, notice));
        }
    }

    private void Run(Notice notice)
    {
        var start = new ProcessStartInfo("sh", ["-c", _section.Command])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment["UNISCALE_EVENT"] = notice.Event;
        start.Environment["UNISCALE_RUN"] = notice.Run;
        start.Environment["UNISCALE_STEP"] = notice.Step.ToString(CultureInfo.InvariantCulture);
        start.Environment["UNISCALE_MESSAGE"] = notice.Message;
        using var process = Process.Start(start)!;
        process.OutputDataReceived += (_, _) => { };
        process.ErrorDataReceived += (_, _) => { };
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        try
        {
            process.StandardInput.WriteLine(JsonSerializer.Serialize(notice));
            process.StandardInput.Close();
        }
        catch (IOException)
        {
            // It does not read its input.
        }
        if (!process.WaitForExit(CommandLimit))
        {
            process.Kill(entireProcessTree: true);
            throw new TimeoutException($"it did not end within {CommandLimit.TotalSeconds:F0} s");
        }
        if (process.ExitCode != 0)
            throw new InvalidOperationException($"it ended with code {process.ExitCode}");
    }

    private void Post(HttpClient client, Notice notice)
    {
        using var answer = client.PostAsJsonAsync(_section.Webhook, notice).GetAwaiter().GetResult();
        answer.EnsureSuccessStatusCode();
    }

    private void Guarded(string what, Action action)
    {
        try
        {
            action();
        }
        catch (Exception error)
        {
            if (_hasComplained)
                return;
            _hasComplained = true;
            _complain($"{what} failed ({error.Message.TrimEnd('.')}); training goes on, and further failures are not reported.");
        }
    }
}
