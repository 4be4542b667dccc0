using System.Text.Json;

namespace Uniscale.Cli.Tests.Commands;

public sealed class DoctorCommandTests
{
    [Fact]
    public void It_finds_what_this_build_was_made_with()
    {
        var (code, output, _) = CommandRun.Of("doctor");
        Assert.Equal(0, code);
        Assert.Contains("libtorch_cpu.so", output);
        Assert.EndsWith("Everything that training needs is here.\n", output);
    }

    [Fact]
    public void Json_holds_the_same_findings()
    {
        var findings = JsonDocument.Parse(CommandRun.Of("doctor", "--json").Output).RootElement.EnumerateArray().ToArray();
        Assert.Contains(
            findings,
            finding => finding.GetProperty("name").GetString() == "libtorch" && finding.GetProperty("found").GetBoolean()
        );
        Assert.All(
            findings,
            finding =>
                Assert.Equal(finding.GetProperty("found").GetBoolean(), finding.GetProperty("advice").ValueKind == JsonValueKind.Null)
        );
    }

    [Fact]
    public void Nodes_of_a_host_file_are_looked_at()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder.In("hosts"), "localhost slots=2\n");
        var (_, output, error) = SmallCorpus.Uniscale([], "doctor", "--hosts", folder.In("hosts"), "--json");
        var report = JsonDocument.Parse(output).RootElement;
        Assert.True(report.GetProperty("ranks").GetArrayLength() == 2, error);
        Assert.All(report.GetProperty("ranks").EnumerateArray(), rank => Assert.Equal("", rank.GetProperty("wrong").GetString()));
    }

    [Theory]
    [InlineData("HOSTS names no host: ", "doctor", "--hosts", "HOSTS")]
    [InlineData("--device tpu is no device: give cpu or cuda.", "doctor", "--hosts", "HOSTS", "--device", "tpu")]
    [InlineData("--as-rank is for the ranks of `uniscale doctor --hosts FILE`", "doctor", "--as-rank")]
    public void What_cannot_be_looked_at_is_refused(string sentence, params string[] arguments)
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder.In("hosts"), "# none\n");
        Assert.Contains(
            sentence,
            CommandRun
                .Refused([.. arguments.Select(argument => argument.Replace("HOSTS", folder.In("hosts"), StringComparison.Ordinal))])
                .Replace(folder.In("hosts"), "HOSTS", StringComparison.Ordinal),
            StringComparison.Ordinal
        );
    }
}
