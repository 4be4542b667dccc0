using System.Globalization;

namespace Uniscale.Dashboard.Browser;

/// <summary>500 runs and one of a million steps, their files as training writes them, and a dashboard over them.</summary>
public sealed class ManyRuns : IAsyncLifetime
{
    /// <summary>Runs beside the long one.</summary>
    public const int Runs = 500;

    /// <summary>Steps of the long run.</summary>
    public const int LongSteps = 1_000_000;

    private const int Steps = 400,
        // Prime, so that no thinning meets them by chance.
        NaNEvery = 99_991;

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("uniscale-many-");
    private DashboardProcess? _dashboard;

    /// <summary>Address of the dashboard.</summary>
    public string Address => _dashboard!.Address;

    /// <summary>metrics.jsonl of the long run.</summary>
    public string LongFile => Path.Combine(_folder.FullName, "runs", "long", "metrics.jsonl");

    public async ValueTask InitializeAsync()
    {
        Parallel.For(0, Runs, i => Write(Path.Combine(_folder.FullName, $"runs/group-{i % 10}/run-{i:000}/metrics.jsonl"), Steps, i));
        Write(LongFile, LongSteps, seed: 0);
        _dashboard = await DashboardProcess.Start(Path.Combine(_folder.FullName, "runs"));
    }

    public async ValueTask DisposeAsync()
    {
        if (_dashboard is not null)
            await _dashboard.DisposeAsync();
        _folder.Delete(recursive: true);
    }

    /// <summary>The record of a step of the long run, with its end of line.</summary>
    public static string Step(int step) => Step(step, LongSteps, Loss(step, 0), Begun.AddMilliseconds(10 * step));

    private static DateTimeOffset Begun => DateTimeOffset.UtcNow.AddHours(-3);

    private static string Loss(int step, int seed) =>
        step % NaNEvery == 0
            ? "\"NaN\""
            : (2 + 8 / Math.Sqrt(step + 1) + 0.1 * Math.Sin(step * 0.7 + seed)).ToString("R", CultureInfo.InvariantCulture);

    private static void Write(string file, int steps, int seed)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(file)!);
        using var writer = new StreamWriter(file);
        var begun = Begun;
        writer.Write(
            $$"""{"kind":"start","time":"{{begun:O}}","name":"run-{{seed}}","parameter_count":71328,"ranks":1,"layout":"tp1 pp1 cp1 dp1 zero0","total_steps":{{steps}},"total_tokens":{{2048L * steps}},"step":0,"restarts":0}"""
                + "\n"
        );
        for (int step = 1; step <= steps; step++)
            writer.Write(Step(step, steps, Loss(step, seed), begun.AddMilliseconds(10 * step)));
    }

    private static string Step(int step, int steps, string loss, DateTimeOffset time) =>
        string.Create(
            CultureInfo.InvariantCulture,
            $$$"""{"kind":"step","time":"{{{time:O}}}","step":{{{step}}},"total_steps":{{{steps}}},"phase":"{{{(step < steps / 2 ? "broad" : "fine")}}}","consumed_tokens":{{{2048L * step}}},"loss":{{{loss}}},"gradient_norm":0.37160118575606904,"learning_rate":0.002025593576287211,"batch_tokens":2048,"seconds":0.0178488,"tokens_per_second":114741.6072789207,"model_flops":58446620949.30751,"mfu":0.2922331047465376,"memory_bytes":238477312,"peak_memory_bytes":243642368,"memory_parts":{"parameters":285312,"gradients":285312,"optimizer":570624,"cached":10289152,"managed":11364088,"other":215682824},"domain_losses":{"reference":4.711217041127384,"practice":4.757459340617061},"mixture_fed":{"reference":0.7009803921568627,"how-to":0.29901960784313725},"mixture_planned":{"reference":0.7,"how-to":0.3},"parts":{"wait":0},"remaining":1.1770158,"skipped":false,"skipped_count":0,"rollbacks":0,"account":{"since":"2026-11-30T17:50:13.0413982+00:00","effective":1.1139985,"waiting":0,"total":2.4386054,"effective_share":0.4568178599128831},"data_digest":"f8fb9da812bc3168"}"""
        ) + "\n";
}
