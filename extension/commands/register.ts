import * as vscode from 'vscode';
import { inspectors } from '../../server/protocol/host.js';
import { showError } from '../errors.js';
import type { Lab } from '../lab.js';
import { Doctor } from './doctor.js';
import { openExampleCommand } from './example.js';
import { clearHubTokenCommand, setHubTokenCommand } from './hubToken.js';
import { runOnImageCommand } from './images.js';
import {
  activeCheckpoint,
  compareCheckpointsCommand,
  inspectCommand,
  openModelCommand,
  pathOf,
  unloadModelCommand,
} from './models.js';
import { promptCommand, promptEmbeddedCommand, promptSelectionCommand, runPathCommand } from './prompt.js';
import {
  copyCommandCommand,
  exportRunCommand,
  inspectRunCommand,
  removeRunCommand,
  selectRunCommand,
  stopRunCommand,
} from './runs.js';
import { openSampleCommand } from './sample.js';
import { runTensorsCommand } from './tensors.js';
import { TokenBoundaries } from './tokens.js';

const WALKTHROUGH = 'model-lab.model-lab#modelLab.start';

/** `selected`: everything chosen in the Explorer. */
type Command = (lab: Lab, argument: unknown, selected: unknown) => unknown;

/** All commands by the part of their id after `modelLab.`; what they throw is shown to the person. */
export function registerCommands(lab: Lab): vscode.Disposable {
  const doctor = new Doctor();
  const boundaries = new TokenBoundaries(lab, lab.documents);
  const commands: Readonly<Record<string, Command>> = {
    openModel: openModelCommand,
    loadModel: openModelCommand,
    unloadModel: unloadModelCommand,
    inspectPath: inspectCommand,
    compareCheckpoints: compareCheckpointsCommand,
    runPath: runPathCommand,
    setHubToken: setHubTokenCommand,
    clearHubToken: clearHubTokenCommand,
    promptModel: promptCommand,
    runTensors: runTensorsCommand,
    promptSelection: promptSelectionCommand,
    promptEmbedded: promptEmbeddedCommand,
    runOnImage: runOnImageCommand,
    tokensOfSelection: () => boundaries.selection(),
    toggleTokenBoundaries: (_, argument) => boundaries.toggle(argument),
    selectRun: selectRunCommand,
    inspectRun: inspectRunCommand,
    stopRun: stopRunCommand,
    removeRun: removeRunCommand,
    exportRun: exportRunCommand,
    copyCommand: copyCommandCommand,
    refreshModels: () => lab.models.refresh(),
    restartServer: () => lab.server.restart(),
    doctor: () => doctor.run(lab),
    showLog: () => lab.log.show(),
    openSample: openSampleCommand,
    openExample: openExampleCommand,
    openWalkthrough: () => vscode.commands.executeCommand('workbench.action.openWalkthrough', WALKTHROUGH, false),
    ...Object.fromEntries(
      inspectors.map((inspector) => [
        `show${inspector[0]?.toUpperCase()}${inspector.slice(1)}`,
        () => lab.panels.show(inspector),
      ]),
    ),
    showArchitecture: (_, argument) => lab.panels.show('architecture', pathOf(argument)),
    showFit: (_, argument) => lab.panels.show('weights', pathOf(argument) ?? activeCheckpoint(), 'fit'),
  };
  const registrations = Object.entries(commands).map(([id, command]) =>
    vscode.commands.registerCommand(`modelLab.${id}`, async (argument: unknown, selected: unknown) => {
      try {
        return await command(lab, argument, selected);
      } catch (error) {
        lab.log.error(error instanceof Error ? error : String(error));
        void showError(error);
      }
    }),
  );
  return vscode.Disposable.from(doctor, boundaries, ...registrations);
}
