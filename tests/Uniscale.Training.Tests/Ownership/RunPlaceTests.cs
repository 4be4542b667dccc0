using Uniscale.Configuration;
using Uniscale.Training.Ownership;
using Uniscale.Training.Runs;
using Uniscale.Training.Runtime;
using Uniscale.Training.Tests.Runs;

namespace Uniscale.Training.Tests.Ownership;

/// <summary>The ways in which a run's files and its configuration can part, and two runs can meet.</summary>
public sealed class RunPlaceTests : IDisposable
{
    private readonly SmallRuns _runs = new();

    public void Dispose() => _runs.Dispose();

    /// <summary>Moved, copied, or reached by a link: the run is where its own configuration lies.</summary>
    [Theory]
    [InlineData("moved")]
    [InlineData("copied")]
    [InlineData("linked folder")]
    [InlineData("linked file")]
    public void ARunIsWhereItsFilesAre(string how)
    {
        Train("run", new TrainingOptions { StopAfter = 3 }, "checkpoint.directory=" + _runs.In("run/saves"));
        string file = Move(how);
        var resolved = ConfigurationLoader.Load(file, [], RunFolder.OfConfiguration(file));
        var result = SmallRuns.Train(new TrainingJob(resolved, new TrainingOptions { Resume = true }, new StopRequest()), 1);
        Assert.Equal((StopReason.Finished, 6L), (result.Reason, result.Position.Step));
        string place = how is "moved" or "copied" ? "place" : "run";
        Assert.Equal(6, _runs.Records(place, "step").Count);
        Assert.Contains("step-00000006", Directory.GetDirectories(_runs.In($"{place}/saves")).Select(Path.GetFileName));
        // Nothing was made where the run was.
        Assert.Equal(how != "moved", Directory.Exists(_runs.In("run")));
        if (how == "copied")
        {
            Assert.Equal(3, _runs.Records("run", "step").Count);
            Assert.NotEqual(RunIdentity.Read(_runs.In("run"))!.Id, RunIdentity.Read(_runs.In("place"))!.Id);
        }
        if (how == "moved")
            Assert.Contains("the run's folder", resolved.ToYaml(origins: true), StringComparison.Ordinal);
    }

    [Fact]
    public void AnOverrideStillSaysWhereARunIs()
    {
        Train("run", new TrainingOptions { StopAfter = 3 });
        string file = _runs.In("run/config.yaml");
        Assert.Equal(
            "/elsewhere",
            ConfigurationLoader.Load(file, ["run_directory=/elsewhere"], RunFolder.OfConfiguration(file)).Value.RunDirectory
        );
        File.WriteAllText(_runs.In("config.yaml"), "{ run_directory: /elsewhere, train: { steps: 1 }, model: { vocabulary: 64 } }");
        Assert.Null(RunFolder.OfConfiguration(_runs.In("config.yaml")));
    }

    [Fact]
    public void CheckpointsThatAreAwayAreMissedBeforeAnythingIsDone()
    {
        string saves = "checkpoint.directory=" + _runs.In("disk/saves");
        Train("run", new TrainingOptions { StopAfter = 3 }, saves);
        Directory.Move(_runs.In("disk"), _runs.In("unplugged"));
        string sentence = Assert.Throws<UserErrorException>(() => Train("run", new TrainingOptions { Resume = true }, saves)).Message;
        Assert.StartsWith(
            $"The run in {_runs.In("run")} has saved step 3 in {_runs.In("disk/saves")}, but there is no checkpoint in",
            sentence
        );
        Assert.Equal(3, _runs.Records("run", "step").Count);
        Directory.Delete(_runs.In("disk"), recursive: true);
        Directory.Move(_runs.In("unplugged"), _runs.In("disk"));
        Train("run", new TrainingOptions { Resume = true }, saves);
        Assert.Equal(6, _runs.Records("run", "step").Count);
    }

    /// <summary>Two runs in one directory of checkpoints would delete each other's.</summary>
    [Fact]
    public void CheckpointsOfAnotherRunAreNeitherContinuedNorDeleted()
    {
        string shared = "checkpoint.directory=" + _runs.In("shared");
        Train("one", new TrainingOptions { StopAfter = 3 }, shared);
        Assert.Contains(
            "already holds checkpoints",
            Assert.Throws<UserErrorException>(() => Train("two", new TrainingOptions(), shared)).Message
        );
        Assert.Contains(
            $"holds the checkpoints of run {RunIdentity.Read(_runs.In("one"))!.Id} in {_runs.In("one")}, not of the one in {_runs.In("two")}",
            Assert.Throws<UserErrorException>(() => Train("two", new TrainingOptions { Resume = true }, shared)).Message
        );
        // A folder that was lost is known by where it was.
        Directory.Delete(_runs.In("one"), recursive: true);
        Assert.Equal(6, Train("one", new TrainingOptions { Resume = true }, shared).Position.Step);
    }

    [Fact]
    public void RunsThatShareATierKeepTheirOwnCopies()
    {
        string[] tier = ["checkpoint.tiers=[" + _runs.In("tier") + "]", "checkpoint.keep=1", "checkpoint.every=1"];
        Train("one", new TrainingOptions { StopAfter = 3 }, [.. tier, "name=one", "train.seed=1"]);
        Train("two", new TrainingOptions { StopAfter = 5 }, [.. tier, "name=two", "train.seed=2"]);
        var ids = (One: RunIdentity.Read(_runs.In("one"))!.Id, Two: RunIdentity.Read(_runs.In("two"))!.Id);
        Assert.Equal([ids.One, ids.Two], Directory.GetDirectories(_runs.In("tier")).Select(path => Path.GetFileName(path)!).Order());
        Assert.StartsWith("step-00000003.", Path.GetFileName(Assert.Single(Directory.GetDirectories(_runs.In($"tier/{ids.One}")))));

        // The disk of one is lost: its own copy comes back, although the other's is newer.
        Directory.Delete(_runs.In("one"), recursive: true);
        Assert.Equal(6, Train("one", new TrainingOptions { Resume = true }, [.. tier, "name=one", "train.seed=1"]).Position.Step);
        Assert.Equal([4, 5, 6], _runs.Records("one", "step").Select(step => step.GetProperty("step").GetInt64()));
        Assert.Equal(ids.One, RunIdentity.Read(_runs.In("one"))!.Id);
        Assert.StartsWith("step-00000005.", Path.GetFileName(Assert.Single(Directory.GetDirectories(_runs.In($"tier/{ids.Two}")))));
    }

    /// <summary>Runs of one name in different places: a start from nothing does not take the other's weights.</summary>
    [Fact]
    public void ALostRunThatMayBeAnothersIsRefused()
    {
        string tier = "checkpoint.tiers=[" + _runs.In("tier") + "]";
        Train("one", new TrainingOptions { StopAfter = 3 }, tier);
        string id = RunIdentity.Read(_runs.In("one"))!.Id;
        string sentence = Assert.Throws<UserErrorException>(() => Train("two", new TrainingOptions { Resume = true }, tier)).Message;
        Assert.Contains($"holds copies of a run of this name ({id} of {_runs.In("one")}), and nothing in {_runs.In("two")} says", sentence);
        // What the sentence says to do does it.
        string written = sentence[sentence.IndexOf('{', StringComparison.Ordinal)..(sentence.IndexOf('}', StringComparison.Ordinal) + 1)];
        Directory.CreateDirectory(_runs.In("two"));
        File.WriteAllText(_runs.In($"two/{RunIdentity.FileName}"), written);
        Assert.Equal(6, Train("two", new TrainingOptions { Resume = true }, tier).Position.Step);
        Assert.Equal([4, 5, 6], _runs.Records("two", "step").Select(step => step.GetProperty("step").GetInt64()));

        Assert.Equal(6, Train("three", new TrainingOptions(), tier).Position.Step);
    }

    [Fact]
    public void CopiesThatDoNotSayWhoseTheyAreAreNotGuessedAt()
    {
        string tier = "checkpoint.tiers=[" + _runs.In("tier") + "]";
        Train("one", new TrainingOptions { StopAfter = 3 }, tier);
        string id = RunIdentity.Read(_runs.In("one"))!.Id,
            copy = Path.GetFileName(Assert.Single(Directory.GetDirectories(_runs.In($"tier/{id}"))));
        // As versions before wrote them.
        Directory.Move(_runs.In($"tier/{id}/{copy}"), _runs.In($"tier/{copy}"));
        Directory.Delete(_runs.In($"tier/{id}"), recursive: true);
        Directory.Delete(_runs.In("one"), recursive: true);
        string sentence = Assert.Throws<UserErrorException>(() => Train("one", new TrainingOptions { Resume = true }, tier)).Message;
        Assert.Contains($"has {copy}, which does not say of which run it is", sentence);
        string place = sentence.Split("move it there to ")[1].Split(';')[0];
        Directory.CreateDirectory(Path.GetDirectoryName(_runs.In($"tier/{place}"))!);
        Directory.Move(_runs.In($"tier/{copy}"), _runs.In($"tier/{place}"));
        Train("one", new TrainingOptions { Resume = true }, tier);
        Assert.Equal([4, 5, 6], _runs.Records("one", "step").Select(step => step.GetProperty("step").GetInt64()));
    }

    private TrainingResult Train(string run, TrainingOptions options, params string[] settings) =>
        SmallRuns.Train(new TrainingJob(_runs.Configure(run, settings), options, new StopRequest()), 1);

    private string Move(string how)
    {
        string file = _runs.In("place/config.yaml");
        switch (how)
        {
            case "moved":
                Directory.Move(_runs.In("run"), _runs.In("place"));
                break;
            case "copied":
                System.Diagnostics.Process.Start("cp", ["-r", _runs.In("run"), _runs.In("place")]).WaitForExit();
                break;
            case "linked folder":
                Directory.CreateSymbolicLink(_runs.In("place"), _runs.In("run"));
                break;
            default:
                file = _runs.In("mine.yaml");
                File.CreateSymbolicLink(file, _runs.In("run/config.yaml"));
                break;
        }
        return file;
    }
}
