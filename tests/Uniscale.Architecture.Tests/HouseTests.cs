using System.Xml.Linq;

namespace Uniscale.Architecture.Tests;

/// <summary>docs/architecture.md, read beside the folders of the repository, is the house.</summary>
public sealed class HouseTests
{
    /// <summary>Its browser's driver is large: scripts/test-dashboard.sh builds it.</summary>
    private static readonly string[] OutsideTheSolution = ["Uniscale.Dashboard.Browser"];

    [Fact]
    public void TheTreeIsTheFoldersOfSrc() => Assert.Equal(Folders.Below("src"), ArchitecturePage.Tree.Order(StringComparer.Ordinal));

    [Fact]
    public void TheTopFoldersAreThere() =>
        Assert.All(ArchitecturePage.TopFolders, folder => Assert.True(Directory.Exists(Repository.PathOf(folder)), folder));

    [Fact]
    public void EveryTopFolderIsOnThePage() =>
        Assert.Empty(
            Folders
                .Below(".")
                .Where(folder => !folder.StartsWith('.') && folder is not ("data" or "runs"))
                .Except(ArchitecturePage.TopFolders)
        );

    [Fact]
    public void EveryProjectHasTests()
    {
        var tested = Folders.Below("tests");
        Assert.All(Assemblies.Projects, project => Assert.Contains($"Uniscale.{project}.Tests", tested));
    }

    [Fact]
    public void EveryProjectIsInTheSolution()
    {
        string solution = File.ReadAllText(Repository.PathOf("Uniscale.sln")).Replace('\\', '/');
        foreach (string folder in (string[])["src", "tests", "examples"])
            foreach (string file in Directory.EnumerateFiles(Repository.PathOf(folder), "*.csproj", SearchOption.AllDirectories))
                if (!OutsideTheSolution.Contains(Path.GetFileNameWithoutExtension(file)))
                    Assert.Contains(Path.GetRelativePath(Repository.Root, file), solution);
    }

    [Fact]
    public void EveryPackageVersionIsUsed()
    {
        // By a property: TorchSharpBackend names which of them brings libtorch.
        string[] chosen = ["libtorch-cpu-linux-x64", "TorchSharp-cuda-linux"];
        var used = ((string[])["src", "tests", "examples"])
            .SelectMany(folder => Directory.EnumerateFiles(Repository.PathOf(folder), "*", SearchOption.AllDirectories))
            .Append(Repository.PathOf("Directory.Build.props"))
            .Where(file => Path.GetExtension(file) is ".csproj" or ".props" && !file.Contains("/obj/", StringComparison.Ordinal))
            .SelectMany(file =>
                XDocument.Load(file).Descendants("PackageReference").Select(reference => reference.Attribute("Include")?.Value)
            )
            .ToHashSet();
        var versions = XDocument
            .Load(Repository.PathOf("Directory.Packages.props"))
            .Descendants("PackageVersion")
            .Select(version => version.Attribute("Include")!.Value);
        Assert.DoesNotContain(versions.Except(chosen), name => !used.Contains(name));
    }
}
