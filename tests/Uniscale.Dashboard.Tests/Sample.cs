using System.Globalization;
using System.Text;

namespace Uniscale.Dashboard.Tests;

/// <summary>Metrics files as runs write them.</summary>
internal static class Sample
{
    private static readonly DateTimeOffset Begin = new(2026, 11, 29, 10, 0, 0, TimeSpan.Zero);

    public static string Start(int step = 0) =>
        $$"""{"kind":"start","time":"{{Time(step)}}","name":"sample","ranks":2,"layout":"tp1 pp2 cp1 dp1 zero0","total_steps":1000,"total_tokens":512000,"step":{{step}},"parameter_count":405568,"account":{"effective":0,"effective_share":0} }""";

    public static string Step(int step, string? loss = null, string norm = "0.5", string? phase = null) =>
        string.Create(
            CultureInfo.InvariantCulture,
            $$"""{"kind":"step","time":"{{Time(step)}}","step":{{step}},"total_steps":1000,{{(phase is null ? "" : $"\"phase\":\"{phase}\",")}}"consumed_tokens":{{step * 512L}},"loss":{{loss ?? (7 - step / 1000.0).ToString("R", CultureInfo.InvariantCulture)}},"gradient_norm":{{norm}},"learning_rate":0.001,"batch_tokens":512,"seconds":0.05,"tokens_per_second":10000,"mfu":0.4,"memory_bytes":1000000,"parts":{"wait":0.01},"remaining":98.4,"skipped":false,"skipped_count":0,"rollbacks":0,"account":{"effective":1,"effective_share":0.9},"data_digest":"bb344a6b8ffb25c3"}"""
        );

    public static string Validation(int step, string name, double loss) =>
        string.Create(
            CultureInfo.InvariantCulture,
            $$"""{"kind":"validation","time":"{{Time(step)}}","step":{{step}},"consumed_tokens":{{step * 512L}},"name":"{{name}}","domain":"{{name}}","loss":{{loss}},"perplexity":5,"bits_per_byte":1.5,"tokens":512}"""
        );

    public static string Note(int step, string kind, string message) =>
        $$"""{"kind":"note","time":"{{Time(step)}}","step":{{step}},"note":"{{kind}}","message":"{{message}}","level":"warning"}""";

    public static string End(int step) =>
        $$"""{"kind":"end","time":"{{Time(step)}}","step":{{step}},"finished":true,"message":"Training is done.","elapsed":5}""";

    /// <summary>A results file as <c>uniscale evaluate</c> writes them.</summary>
    public static string Results(string task = "mmlu", double accuracy = 0.5) =>
        string.Create(
            CultureInfo.InvariantCulture,
            $$"""
            {"results":{"{{task}}":{"alias":"{{task}}","acc,none":{{accuracy}},"acc_stderr,none":0.01},"{{task}}_algebra":{"acc,none":0.25,"acc_stderr,none":"N/A"},"perplexity":{"bits_per_byte,none":2.5} },
            "group_subtasks":{"{{task}}":["{{task}}_algebra"]},"configs":{"{{task}}":{"variant":"harness","scoring":"letter","num_fewshot":5} },"n-samples":{"{{task}}":{"effective":7} },"config":{"model_digest":"abc"},"date":1796040000}
            """
        );

    /// <summary>A run of so many steps.</summary>
    public static string Run(int steps)
    {
        var text = new StringBuilder(Start()).Append('\n');
        for (int step = 1; step <= steps; step++)
            text.Append(Step(step)).Append('\n');
        return text.ToString();
    }

    private static string Time(int step) =>
        Begin.AddSeconds(step * 0.05).ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture);
}
