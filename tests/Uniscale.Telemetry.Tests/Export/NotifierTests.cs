using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using System.Text.Json;
using Uniscale.Configuration;
using Uniscale.Telemetry.Export;

namespace Uniscale.Telemetry.Tests.Export;

public sealed class NotifierTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("uniscale-notify-").FullName;
    private readonly ConcurrentQueue<string> _complaints = new();

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private string Output => Path.Combine(_folder, "told");

    /// <summary>Whole lines only: a reader of lines takes what a command has written so far for a line of its own.</summary>
    private async Task<string[]> Told(int lines)
    {
        string text = "";
        for (int i = 0; i < 200 && text.Count(letter => letter == '\n') < lines; i++)
        {
            await Task.Delay(50);
            text = File.Exists(Output) ? await File.ReadAllTextAsync(Output) : "";
        }
        return text.Split('\n')[..^1];
    }

    [Fact]
    public async Task ACommandIsToldWhatIsAskedForAndNothingElse()
    {
        var section = new NotifySection
        {
            Command =
                $"printf '%s|%s|%s|%s|' \"$UNISCALE_EVENT\" \"$UNISCALE_RUN\" \"$UNISCALE_STEP\" \"$UNISCALE_MESSAGE\" >>'{Output}'; cat >>'{Output}'",
        };
        using (var notifier = new Notifier(section, "r", _complaints.Enqueue))
        {
            notifier.Take(new RunStart { Name = "my run", RunDirectory = "/x" });
            notifier.Take(new StepReport { Step = 1 });
            notifier.Take(new Note(30, "step-skipped", "Step 30 was left out: NaN; $(touch /tmp/x) `id` 'quoted'.", NoteLevel.Warning));
            notifier.Take(new Note(31, "checkpoint-durable", "saved"));
            notifier.Take(new Note(32, "disk-full", "a warning", NoteLevel.Warning));
            notifier.Take(
                new RunStart
                {
                    Name = "my run",
                    RunDirectory = "/x",
                    ResumedStep = 40,
                }
            );
            notifier.Take(new RunEnd(50, true, "Training is done.", TimeSpan.FromSeconds(1)));
            string[] told = await Told(3);
            Assert.Equal(3, told.Length);
            Assert.StartsWith("spike|my run|30|Step 30 was left out: NaN; $(touch /tmp/x) `id` 'quoted'.|{", told[0]);
            Assert.StartsWith("restart|my run|40|", told[1]);
            Assert.StartsWith("finish|my run|50|Finished at step 50: Training is done.|", told[2]);
            Assert.Equal("spike", JsonDocument.Parse(told[0][told[0].IndexOf('{')..]).RootElement.GetProperty("event").GetString());
        }
        Assert.Empty(_complaints);
    }

    [Fact]
    public async Task TheBudgetHoldsBackAndTheNextNoticeTellsHowMany()
    {
        var budget = new NoticeBudget(2);
        var now = DateTimeOffset.UtcNow;
        Assert.True(budget.Spend(now));
        Assert.True(budget.Spend(now));
        Assert.False(budget.Spend(now.AddMinutes(59)));
        Assert.True(budget.Spend(now.AddMinutes(60)));
        using var notifier = new Notifier(new NotifySection { Command = $"cat >>'{Output}'", MostPerHour = 3 }, "r", _complaints.Enqueue);
        for (int i = 0; i < 1_000; i++)
            notifier.Tell("spike", i, "again");
        Assert.Equal(3, (await Told(3)).Length);
        await Task.Delay(300);
        Assert.Equal(3, (await Told(3)).Length);
    }

    [Fact]
    public async Task AWebhookIsPostedTo()
    {
        using var listener = new HttpListener();
        int port = Random.Shared.Next(20_000, 30_000);
        listener.Prefixes.Add($"http://localhost:{port}/");
        listener.Start();
        using var notifier = new Notifier(new NotifySection { Webhook = $"http://localhost:{port}/hook" }, "r", _complaints.Enqueue);
        notifier.Tell("hang", 7, "rank 1 does not move");
        var context = await listener.GetContextAsync().WaitAsync(TimeSpan.FromSeconds(10));
        using var body = JsonDocument.Parse(context.Request.InputStream);
        context.Response.Close();
        Assert.Equal(
            ("POST", "/hook", "hang", "rank 1 does not move"),
            (
                context.Request.HttpMethod,
                context.Request.Url!.AbsolutePath,
                body.RootElement.GetProperty("event").GetString(),
                body.RootElement.GetProperty("message").GetString()
            )
        );
    }

    [Fact]
    public async Task ACommandThatFailsIsToldOfOnceAndOneThatHangsHoldsNothingUp()
    {
        using (var failing = new Notifier(new NotifySection { Command = "exit 3" }, "r", _complaints.Enqueue))
        {
            for (int i = 0; i < 5; i++)
                failing.Tell("spike", i, "x");
            for (int i = 0; i < 100 && _complaints.IsEmpty; i++)
                await Task.Delay(50);
            await Task.Delay(300);
        }
        Assert.Contains("code 3", Assert.Single(_complaints));
        var hanging = new Notifier(new NotifySection { Command = "sleep 20" }, "r", _complaints.Enqueue);
        var clock = Stopwatch.StartNew();
        for (int i = 0; i < 1_000; i++)
            hanging.Tell("spike", i, "x");
        hanging.Dispose();
        Assert.InRange(clock.Elapsed.TotalSeconds, 0, 5);
    }
}
