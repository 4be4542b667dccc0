using System.Diagnostics;
using System.Text.Json;

namespace TorchSharp.Tests.Surface;

/// <summary>
/// What the build refers to with and without -p:TorchSharpPackage. The packages themselves cannot be restored everywhere, so this
/// asks the build for its references and restores nothing.
/// </summary>
public class PackageSwitchTests
{
    [Theory]
    [InlineData("Uniscale.Torch")]
    [InlineData("Uniscale.Engine")]
    public void ByDefaultTensorsAreOurs(string project)
    {
        var (projects, packages) = References(project);
        Assert.Contains("TorchSharp.csproj", projects);
        Assert.DoesNotContain(packages.Keys, package => package.StartsWith("TorchSharp", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("Uniscale.Torch")]
    [InlineData("Uniscale.Engine")]
    public void OnePropertySwapsInThePackages(string project)
    {
        var (projects, packages) = References(project, "-p:TorchSharpPackage=0.106.5", "-p:TorchSharpBackend=TorchSharp-cuda-linux");
        Assert.DoesNotContain("TorchSharp.csproj", projects);
        Assert.Equal("0.106.5", packages["TorchSharp"]);
        Assert.Equal("0.106.5", packages["TorchSharp-cuda-linux"]);
    }

    private static (List<string> Projects, Dictionary<string, string> Packages) References(string project, params string[] properties)
    {
        using var process = Process.Start(new ProcessStartInfo("dotnet",
        [
            "msbuild", Path.Combine(Repository(), "src", project, project + ".csproj"), "-nodeReuse:false",
            "-getItem:PackageReference", "-getItem:ProjectReference", .. properties,
        ])
        { RedirectStandardOutput = true, RedirectStandardError = true })!;
        var text = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, text);
        var items = JsonDocument.Parse(text).RootElement.GetProperty("Items");
        return (
            [.. items.GetProperty("ProjectReference").EnumerateArray().Select(item => Path.GetFileName(item.GetProperty("Identity").GetString()!))],
            items.GetProperty("PackageReference").EnumerateArray().ToDictionary(
                item => item.GetProperty("Identity").GetString()!,
                item => item.TryGetProperty("VersionOverride", out var version) ? version.GetString()! : ""));
    }

    private static string Repository()
    {
        var folder = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(folder, "Uniscale.sln")))
            folder = Path.GetDirectoryName(folder) ?? throw new InvalidOperationException("The tests do not lie in the repository.");
        return folder;
    }
}
