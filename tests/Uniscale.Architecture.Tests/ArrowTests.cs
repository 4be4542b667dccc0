namespace Uniscale.Architecture.Tests;

/// <summary>The arrows that docs/architecture.md draws are the references of the project files and what the compiled code uses.</summary>
public sealed class ArrowTests
{
    public static TheoryData<string> Projects() => [.. Assemblies.Projects];

    [Theory, MemberData(nameof(Projects))]
    public void ThePageDrawsTheReferencesOfTheProject(string project) =>
        Same(ArchitecturePage.Arrows[project], Assemblies.Referenced(project));

    [Theory, MemberData(nameof(Projects))]
    public void TheProjectUsesWhatItReferences(string project) => Same(Assemblies.Referenced(project), Assemblies.Used(project));

    [Fact]
    public void ThePageDrawsNoOtherProject() =>
        Assert.Equal(Assemblies.Projects, ArchitecturePage.Arrows.Keys.Order(StringComparer.Ordinal));

    [Fact]
    public void NoProjectReadsOneThatReadsIt() => Assert.Empty(Cycle(ArchitecturePage.Arrows));

    [Fact]
    public void ThePageDrawsTheFoldersOfEngine()
    {
        var folders = Assemblies.FoldersOf("Engine");
        Assert.Equal(folders.Keys.Order(StringComparer.Ordinal), ArchitecturePage.EngineArrows.Keys.Order(StringComparer.Ordinal));
        Assert.All(folders, folder => Same(ArchitecturePage.EngineArrows[folder.Key], folder.Value));
    }

    [Fact]
    public void NoFolderOfEngineReadsOneThatReadsIt() => Assert.Empty(Cycle(Assemblies.FoldersOf("Engine")));

    private static void Same(IReadOnlySet<string> expected, IReadOnlySet<string> actual) =>
        Assert.Equal(string.Join(", ", expected.Order(StringComparer.Ordinal)), string.Join(", ", actual.Order(StringComparer.Ordinal)));

    /// <summary>
    /// What is left when everything is taken away that reads nothing that is left: the members of cycles and what stands on them.
    /// </summary>
    private static HashSet<string> Cycle(IReadOnlyDictionary<string, IReadOnlySet<string>> arrows)
    {
        var left = arrows.Keys.ToHashSet();
        while (left.RemoveWhere(name => !arrows[name].Any(left.Contains)) > 0) { }
        return left;
    }
}
