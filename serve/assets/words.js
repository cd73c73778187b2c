// The page's words in two languages, and what changes them.

const words = {
  en: {
    title: "Kiln – what do you see?",
    skip: "Skip to the drawing area",
    model: "Model",
    language: "Switch to Chinese",
    tagline: (name) => `${name}, live`,
    drawTitle: "Drawing area",
    padLabel: "Drawing area: draw a digit",
    hint: "Draw a digit here,\nor drop a photo",
    hintPhotos: "Drop a photo here, choose one or paste it",
    dropping: "Let go to look at this picture",
    clear: "Clear",
    undo: "Undo",
    choose: "Choose a photo",
    width: "Pen",
    keysTitle: "With the keyboard",
    keys: "The arrow keys move the pen, with Shift in small steps. The space bar puts it on the paper and lifts it. "
      + "Backspace takes the last stroke back, Delete clears the paper. A picture can be pasted.",
    answerTitle: "Answer",
    barsLabel: "Probabilities",
    saw: "What the network saw",
    sawLabel: "The picture as the network saw it",
    nothing: "Nothing drawn yet",
    blank: "No ink found",
    sure: (share) => `${share} sure`,
    spoken: (name, share) => `${name}, ${share} sure`,
    spokenBlank: "The paper is blank",
    penDown: "Pen on the paper",
    penUp: "Pen lifted",
    cleared: "Cleared",
    undone: "Last stroke taken back",
    photoAlt: (name) => `The picture ${name}`,
    times: (decode, fit, forward, all) => `decoded in ${decode} ms · fitted in ${fit} ms · network ${forward} ms · there and back ${all} ms`,
    insideTitle: "Inside the network",
    insideText: "Each layer turns the maps before it into new ones. Choose a layer: the heat shows which places speak for the answer there "
      + "(Grad-CAM), the sheet shows its feature maps.",
    layersLabel: "Layers",
    camLabel: (layer, name) => `Where layer ${layer} finds what speaks for ${name}`,
    camText: (layer, name) => `Grad-CAM at ${layer}: what speaks for “${name}”`,
    camNone: "No place speaks for the answer here",
    mapsLabel: (count, layer, height, width) => `${count} feature maps of layer ${layer}, ${width} by ${height} each`,
    mapsText: (shown, count, height, width) => (shown < count ? `${shown} of ${count} feature maps` : `${count} feature maps`) + `, ${width} × ${height} each`,
    footer: "Pictures stay in the server's memory until they are answered, and are never written to a disk.",
    more: "More",
    api: "API",
    about: "About the model",
    metrics: "Metrics",
    problems: {
      "offline": "The server does not answer. Is it still running?",
      "no-image": "There is no picture in this.",
      "not-an-image": "This is not a PNG, JPEG, BMP, WebP or GIF picture.",
      "decode": "This picture is damaged and cannot be read.",
      "empty": "This file is empty.",
      "body-too-large": "This file is too large.",
      "too-large": "This picture has too many pixels.",
      "busy": "The server is busy; trying again in a moment.",
      "slow-body": "The picture took too long to arrive.",
      "timeout": "The answer took too long.",
      "stopping": "The server is shutting down.",
      "unknown-model": "This model is not there any more; reload the page.",
      "internal": "The server failed on this picture.",
    },
  },
  zh: {
    title: "Kiln – 看看这是什么？",
    skip: "跳到绘图区",
    model: "模型",
    language: "切换到英文",
    tagline: (name) => `${name}，实时识别`,
    drawTitle: "绘图区",
    padLabel: "绘图区：写一个数字",
    hint: "在这里写一个数字，\n或拖入一张照片",
    hintPhotos: "把照片拖到这里，也可以选择或粘贴",
    dropping: "松手即可识别这张图片",
    clear: "清空",
    undo: "撤销",
    choose: "选择照片",
    width: "笔宽",
    keysTitle: "键盘操作",
    keys: "方向键移动画笔，按住 Shift 移动得更细。空格键落笔和抬笔。退格键撤销上一笔，Delete 键清空。也可以粘贴图片。",
    answerTitle: "结果",
    barsLabel: "各类别概率",
    saw: "网络看到的图像",
    sawLabel: "网络看到的图像",
    nothing: "还没有内容",
    blank: "没有找到笔迹",
    sure: (share) => `把握 ${share}`,
    spoken: (name, share) => `${name}，把握 ${share}`,
    spokenBlank: "纸上没有内容",
    penDown: "已落笔",
    penUp: "已抬笔",
    cleared: "已清空",
    undone: "已撤销上一笔",
    photoAlt: (name) => `图片 ${name}`,
    times: (decode, fit, forward, all) => `解码 ${decode} 毫秒 · 预处理 ${fit} 毫秒 · 网络 ${forward} 毫秒 · 往返 ${all} 毫秒`,
    insideTitle: "网络内部",
    insideText: "每一层都把前一层的特征图变成新的特征图。选择一层：热力图显示该层中支持这个结果的位置（Grad-CAM），旁边是它的特征图。",
    layersLabel: "层",
    camLabel: (layer, name) => `${layer} 层中支持 ${name} 的位置`,
    camText: (layer, name) => `${layer} 层的 Grad-CAM：支持“${name}”的位置`,
    camNone: "这一层没有支持该结果的位置",
    mapsLabel: (count, layer, height, width) => `${layer} 层的 ${count} 张特征图，每张 ${width} × ${height}`,
    mapsText: (shown, count, height, width) => (shown < count ? `${count} 张特征图中的 ${shown} 张` : `${count} 张特征图`) + `，每张 ${width} × ${height}`,
    footer: "图片只在服务器内存中停留到得出结果为止，从不写入磁盘。",
    more: "更多",
    api: "接口",
    about: "模型信息",
    metrics: "指标",
    problems: {
      "offline": "服务器没有响应。它还在运行吗？",
      "no-image": "这里面没有图片。",
      "not-an-image": "这不是 PNG、JPEG、BMP、WebP 或 GIF 图片。",
      "decode": "图片已损坏，无法读取。",
      "empty": "文件是空的。",
      "body-too-large": "文件太大。",
      "too-large": "图片的像素太多。",
      "busy": "服务器繁忙，稍后自动重试。",
      "slow-body": "图片上传太慢。",
      "timeout": "计算超时。",
      "stopping": "服务器正在关闭。",
      "unknown-model": "这个模型已经不在了，请刷新页面。",
      "internal": "服务器处理这张图片时出错。",
    },
  },
};

const KEY = "kiln-language";

function initial() {
  let kept = null;
  // A browser may forbid to keep anything.
  try { kept = localStorage.getItem(KEY); } catch { /* as if nothing were kept */ }
  if (kept in words) return kept;
  return navigator.language.toLowerCase().startsWith("zh") ? "zh" : "en";
}

let language = initial();

/** A word, or a sentence with something in it. */
export function say(key, ...values) {
  const word = words[language][key];
  return typeof word === "function" ? word(...values) : word;
}

/** What to say of a problem: in the page's language, or else in the server's words. */
export function sayProblem(problem) {
  return words[language].problems[problem.code] ?? problem.message;
}

/** A number of 0 to 1 as a percentage. */
export function percent(share) {
  const digits = share > 0.0005 && share < 0.9995 ? 1 : 0;
  return new Intl.NumberFormat(language, { style: "percent", minimumFractionDigits: digits, maximumFractionDigits: digits }).format(share);
}

/** Writes all words that stand in the page, in the language that is chosen now. */
export function writeWords() {
  document.documentElement.lang = language === "zh" ? "zh-Hans" : "en";
  document.title = say("title");
  for (const place of document.querySelectorAll("[data-word]")) place.textContent = say(place.dataset.word);
  for (const place of document.querySelectorAll("[data-label]")) place.setAttribute("aria-label", say(place.dataset.label));
  const button = document.getElementById("language");
  button.textContent = language === "en" ? "中文" : "English";
  button.lang = language === "en" ? "zh" : "en";
  button.setAttribute("aria-label", `${button.textContent} – ${say("language")}`);
}

/** Changes to the other language. */
export function switchLanguage() {
  language = language === "en" ? "zh" : "en";
  try { localStorage.setItem(KEY, language); } catch { /* it lasts as long as the page */ }
  writeWords();
}
