using System.Text.RegularExpressions;

namespace Uniscale.Programs.Tests.Schedules;

/// <summary>docs/how-to/add-a-schedule.md shows the very code that is compiled and run here.</summary>
public partial class GuideTests
{
    [Theory]
    [InlineData(0, "LastInFirstOutSchedule.cs")]
    [InlineData(1, "LastInFirstOutScheduleTests.cs")]
    public void TheGuideShowsTheCompiledCode(int block, string file)
    {
        string root = Repository.Root;
        string guide = File.ReadAllText(Path.Combine(root, "docs", "how-to", "add-a-schedule.md"));
        string code = File.ReadAllText(Path.Combine(root, "tests", "Uniscale.Programs.Tests", "Schedules", file));
        Assert.Equal(code, CodeBlock().Matches(guide)[block].Groups[1].Value);
    }

    [GeneratedRegex(@"```csharp\n(.*?)```", RegexOptions.Singleline)]
    private static partial Regex CodeBlock();
}
