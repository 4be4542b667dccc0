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
        Assert.Contains(findings, finding => finding.GetProperty("name").GetString() == "libtorch" && finding.GetProperty("found").GetBoolean());
        Assert.All(findings, finding => Assert.Equal(finding.GetProperty("found").GetBoolean(), finding.GetProperty("advice").ValueKind == JsonValueKind.Null));
    }
}
